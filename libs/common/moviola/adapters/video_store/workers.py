"""Workers that announced themselves."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Statements, columns, field_names, upsert, values
from moviola.video import Worker

WORKER_FIELDS = field_names(Worker)
_workers = schema.workers

# Messages may be late: an older word does not replace a newer one.
_SEEN = upsert(
    lambda insert: (seen := insert(_workers)).on_conflict_do_update(
        index_elements=[_workers.c.id],
        set_={name: seen.excluded[name] for name in WORKER_FIELDS if name != "id"},
        where=_workers.c.seen_at <= seen.excluded.seen_at,
    )
)
_LEFT = sa.delete(_workers).where(_workers.c.id == sa.bindparam("the_id"))
_ALIVE = (
    sa.select(*columns(_workers, WORKER_FIELDS))
    .where(_workers.c.seen_at >= sa.bindparam("since"))
    .order_by(_workers.c.id)
)


class SqlWorkers:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def seen(self, worker: Worker) -> None:
        await self._statements.upsert(_SEEN, values(worker, WORKER_FIELDS))

    async def left(self, worker_id: str) -> None:
        await self._statements.write(_LEFT, {"the_id": worker_id})

    async def alive(self, *, since: datetime) -> Sequence[Worker]:
        return [Worker(**row._mapping) for row in await self._statements.read(_ALIVE, {"since": since})]
