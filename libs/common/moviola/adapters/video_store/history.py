"""What happened to a video: appended, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store.schema import history
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, values
from moviola.video import HistoryEntry, RunId, VideoId

ENTRY_FIELDS = field_names(HistoryEntry)
_APPEND = sa.insert(history)
_of_video = (
    sa.select(*columns(history, ENTRY_FIELDS))
    .where(history.c.video_id == sa.bindparam("video_id"))
    .order_by(history.c.position)
)
_BEHIND = _of_video.where(history.c.id > sa.bindparam("after"))
_place = history.alias("place")
_FILTERS: dict[str, sa.ColumnElement[bool]] = {
    "run_id": history.c.run_id == sa.bindparam("run_id"),
    "until": history.c.at <= sa.bindparam("until"),
    "after": history.c.position
    > sa.select(_place.c.position).where(_place.c.id == sa.bindparam("after")).scalar_subquery(),
}


def _entries(rows: Sequence[Row]) -> list[HistoryEntry]:
    return [HistoryEntry(**row._mapping) for row in rows]


class SqlHistory:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, entries: Sequence[HistoryEntry]) -> None:
        if entries:
            await self._statements.write(_APPEND, [values(entry, ENTRY_FIELDS) for entry in entries])

    async def of_video(self, video_id: VideoId, *, after: str | None = None) -> Sequence[HistoryEntry]:
        return _entries(await self._statements.read(_BEHIND, {"video_id": video_id, "after": after or ""}))

    async def page(
        self,
        video_id: VideoId,
        *,
        limit: int,
        run_id: RunId | None = None,
        until: datetime | None = None,
        after: str | None = None,
    ) -> Sequence[HistoryEntry]:
        given: dict[str, Any] = {"run_id": run_id, "until": until, "after": after}
        given = {name: value for name, value in given.items() if value is not None}
        query = _of_video.where(*(_FILTERS[name] for name in given)).limit(sa.bindparam("limit"))
        return _entries(await self._statements.read(query, {"video_id": video_id, "limit": limit, **given}))
