"""Stored watermarks."""

from collections.abc import Sequence

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Statements, columns, field_names, values
from moviola.ports.video_store import StoredWatermark
from moviola.video import Tenant

WATERMARK_FIELDS = field_names(StoredWatermark)
_watermarks, _videos, _runs = schema.watermarks, schema.videos, schema.runs
_is_the_one = sa.and_(_watermarks.c.tenant == sa.bindparam("the_tenant"), _watermarks.c.id == sa.bindparam("the_id"))

_INSERT = sa.insert(_watermarks)
_GET = sa.select(*columns(_watermarks, WATERMARK_FIELDS)).where(_is_the_one)
_REMOVE = sa.delete(_watermarks).where(_is_the_one)
_PAGE = (
    sa.select(*columns(_watermarks, WATERMARK_FIELDS))
    .where(_watermarks.c.tenant == sa.bindparam("the_tenant"), _watermarks.c.listed)
    .order_by(_watermarks.c.id.desc())
    .limit(sa.bindparam("limit"))
)
_OLDER = _PAGE.where(_watermarks.c.id < sa.bindparam("before"))


def _names(recipe: sa.Column[object]) -> sa.ColumnElement[bool]:
    # An id is long and random: wherever it stands in the recipe's JSON, it is meant.
    return sa.cast(recipe, sa.Text).contains(sa.bindparam("the_id"))


# Both look through the few that are under way only, by their partial indices.
_AWAITED = sa.union_all(
    sa.select(_videos.c.id).where(
        _videos.c.tenant == sa.bindparam("the_tenant"),
        _videos.c.state.in_([sa.literal_column("'waiting_upload'"), sa.literal_column("'uploaded'")]),
        sa.not_(_videos.c.started),
        _names(_videos.c.recipe),
    ),
    sa.select(_runs.c.id).where(
        _runs.c.tenant == sa.bindparam("the_tenant"), _runs.c.is_unfinished, _names(_runs.c.recipe)
    ),
).limit(1)


class SqlWatermarks:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, watermark: StoredWatermark) -> None:
        await self._statements.write(_INSERT, values(watermark, WATERMARK_FIELDS))

    async def get(self, tenant: Tenant, watermark_id: str) -> StoredWatermark | None:
        rows = await self._statements.read(_GET, {"the_tenant": tenant, "the_id": watermark_id})
        return StoredWatermark(**rows[0]._mapping) if rows else None

    async def page(self, tenant: Tenant, *, limit: int, before: str | None = None) -> Sequence[StoredWatermark]:
        keys = {"the_tenant": tenant, "limit": limit}
        rows = await self._statements.read(*((_PAGE, keys) if before is None else (_OLDER, keys | {"before": before})))
        return [StoredWatermark(**row._mapping) for row in rows]

    async def remove(self, tenant: Tenant, watermark_id: str) -> None:
        await self._statements.write(_REMOVE, {"the_tenant": tenant, "the_id": watermark_id})

    async def is_awaited(self, tenant: Tenant, watermark_id: str) -> bool:
        return bool(await self._statements.read(_AWAITED, {"the_tenant": tenant, "the_id": watermark_id}))
