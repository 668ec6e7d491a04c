"""Dead letters, drained from the bus."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, upsert, values
from moviola.ports.video_store import DeadLetterFilter, StoredDeadLetter
from moviola.video import Tenant

LETTER_FIELDS = field_names(StoredDeadLetter)
_letters = schema.dead_letters
_is_the_one = sa.and_(_letters.c.tenant == sa.bindparam("the_tenant"), _letters.c.id == sa.bindparam("the_id"))

_ADD = upsert(lambda insert: insert(_letters).on_conflict_do_nothing(index_elements=[_letters.c.digest]))
_select = sa.select(*columns(_letters, LETTER_FIELDS))
_GET = _select.where(_letters.c.id == sa.bindparam("the_id"))
_REDRIVEN = sa.update(_letters).where(_is_the_one, _letters.c.redriven_at.is_(None))
_REMOVE = sa.delete(_letters).where(_is_the_one)
_FORGET = sa.delete(_letters).where(_letters.c.redriven_at < sa.bindparam("before"))
_WAITING = (
    sa.select(_letters.c.queue, sa.func.count()).where(_letters.c.redriven_at.is_(None)).group_by(_letters.c.queue)
)


def _letters_of(rows: Sequence[Row]) -> list[StoredDeadLetter]:
    return [StoredDeadLetter(**row._mapping) for row in rows]


class SqlDeadLetters:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, letter: StoredDeadLetter) -> bool:
        return bool(await self._statements.upsert(_ADD, values(letter, LETTER_FIELDS)))

    async def get(self, tenant: Tenant | None, letter_id: str) -> StoredDeadLetter | None:
        found = _letters_of(await self._statements.read(_GET, {"the_id": letter_id}))
        return found[0] if found and tenant in (None, found[0].tenant) else None

    async def page(
        self, wanted: DeadLetterFilter, *, limit: int, before: str | None = None
    ) -> Sequence[StoredDeadLetter]:
        query = _select.where(
            _letters.c.redriven_at.is_not(None) if wanted.redriven else _letters.c.redriven_at.is_(None)
        )
        for name in ("tenant", "queue", "type", "reason", "correlation_id"):
            value = getattr(wanted, name)
            query = query if value is None else query.where(_letters.c[name] == value)
        if before is not None:
            query = query.where(_letters.c.id < before)
        return _letters_of(await self._statements.read(query.order_by(_letters.c.id.desc()).limit(limit)))

    async def redriven(self, tenant: Tenant, letter_id: str, *, at: datetime) -> bool:
        keys = {"the_tenant": tenant, "the_id": letter_id}
        return bool(await self._statements.write(_REDRIVEN, keys | {"redriven_at": at}))

    async def remove(self, tenant: Tenant, letter_id: str) -> bool:
        return bool(await self._statements.write(_REMOVE, {"the_tenant": tenant, "the_id": letter_id}))

    async def forget(self, *, redriven_before: datetime) -> int:
        return await self._statements.write(_FORGET, {"before": redriven_before})

    async def waiting(self) -> Mapping[str, int]:
        return {queue: count for queue, count in await self._statements.read(_WAITING)}  # noqa: C416  Row
