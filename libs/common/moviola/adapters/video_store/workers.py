"""Workers that announced themselves."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.column_types import KEY
from moviola.adapters.video_store.statements import Statements, columns, field_names, upsert, values
from moviola.video import TaskId, Worker

WORKER_FIELDS = field_names(Worker)
_workers = schema.workers
# What it says of itself; the rest is our own judgement of it.
_SAID = tuple(name for name in WORKER_FIELDS if name not in ("strikes", "resting_until"))

# Messages may be late: an older word does not replace a newer one.
_SEEN = upsert(
    lambda insert: (seen := insert(_workers)).on_conflict_do_update(
        index_elements=[_workers.c.id],
        set_={name: seen.excluded[name] for name in _SAID if name != "id"},
        where=_workers.c.seen_at <= seen.excluded.seen_at,
    )
)
_LEFT = sa.delete(_workers).where(_workers.c.id == sa.bindparam("the_id"))
_GET = sa.select(*columns(_workers, WORKER_FIELDS)).where(_workers.c.id == sa.bindparam("the_id"))
# The same task again says nothing new of the worker.
_STRIKE = (
    sa.update(_workers)
    .where(_workers.c.id == sa.bindparam("the_id"), _workers.c.struck_by.is_distinct_from(sa.bindparam("the_task")))
    .values(strikes=_workers.c.strikes + 1, struck_by=sa.bindparam("the_task", type_=KEY))
)
_REST = sa.update(_workers).where(_workers.c.id == sa.bindparam("the_id")).values(resting_until=sa.bindparam("until"))
_CLEAR = (
    sa.update(_workers)
    .where(_workers.c.id == sa.bindparam("the_id"), _workers.c.strikes > 0)
    .values(strikes=0, struck_by=None, resting_until=None)
)
_ALIVE = (
    sa.select(*columns(_workers, WORKER_FIELDS))
    .where(_workers.c.seen_at >= sa.bindparam("since"))
    .order_by(_workers.c.id)
)


class SqlWorkers:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def seen(self, worker: Worker) -> None:
        await self._statements.upsert(_SEEN, values(worker, _SAID))

    async def left(self, worker_id: str) -> None:
        await self._statements.write(_LEFT, {"the_id": worker_id})

    async def get(self, worker_id: str) -> Worker | None:
        rows = await self._statements.read(_GET, {"the_id": worker_id})
        return Worker(**rows[0]._mapping) if rows else None

    async def strike(self, worker_id: str, *, task_id: TaskId) -> int:
        if not await self._statements.write(_STRIKE, {"the_id": worker_id, "the_task": task_id}):
            return 0
        worker = await self.get(worker_id)
        return worker.strikes if worker is not None else 0

    async def rest(self, worker_id: str, *, until: datetime) -> None:
        await self._statements.write(_REST, {"the_id": worker_id, "until": until})

    async def clear(self, worker_id: str) -> bool:
        return bool(await self._statements.write(_CLEAR, {"the_id": worker_id}))

    async def alive(self, *, since: datetime) -> Sequence[Worker]:
        return [Worker(**row._mapping) for row in await self._statements.read(_ALIVE, {"since": since})]
