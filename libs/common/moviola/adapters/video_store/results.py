"""The step cache: results by what they are known by, and who shares them."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Statements, columns
from moviola.adapters.video_store.tasks import TASK_FIELDS, tasks_of
from moviola.ports.video_store import Released
from moviola.video import Task, Tenant, VideoId

_tasks, _purges = schema.tasks, schema.purges
_the_tenants = _tasks.c.tenant == sa.bindparam("the_tenant")

_FIND = (
    sa.select(*columns(_tasks, TASK_FIELDS))
    .where(_the_tenants, _tasks.c.result_key == sa.bindparam("key"))
    .order_by(_tasks.c.position)
    .limit(1)
)
# Whoever withdraws it waits for us; what somebody is withdrawing now, we pass over.
_TAKE = _FIND.with_for_update(read=True, skip_locked=True)
_FORGET = sa.update(_tasks).where(_the_tenants, _tasks.c.result_key == sa.bindparam("key")).values(result_key=None)
_WITHDRAW = (
    sa.update(_tasks)
    .where(_tasks.c.run_id.in_(sa.select(schema.runs.c.id).where(schema.runs.c.video_id == sa.bindparam("the_video"))))
    .where(_tasks.c.result_key.is_not(None))
    .values(result_key=None)
)
_SHARED = sa.select(_tasks.c.outputs).where(
    _tasks.c.origin == sa.bindparam("the_video"), _tasks.c.video_id != sa.bindparam("the_video")
)
_RELEASED = (
    sa.select(_purges.c.video_id, _purges.c.tenant, _purges.c.released)
    .where(_purges.c.released.is_not(None), _purges.c.purged_at.is_not(None))
    .order_by(_purges.c.video_id)
    .limit(sa.bindparam("limit"))
)
_COLLECTED = (
    sa.update(_purges)
    .where(_purges.c.video_id == sa.bindparam("the_video"), _purges.c.released == sa.bindparam("token"))
    .values(released=None)
)


class SqlResults:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, tenant: Tenant, keys: Collection[str]) -> Mapping[str, Task]:
        rows = [await self._statements.read(_FIND, {"the_tenant": tenant, "key": key}) for key in sorted(set(keys))]
        return {task.result_key: task for found in rows for task in tasks_of(found) if task.result_key is not None}

    async def take(self, tenant: Tenant, keys: Collection[str]) -> Mapping[str, Task]:
        rows = [await self._statements.lock(_TAKE, {"the_tenant": tenant, "key": key}) for key in sorted(set(keys))]
        return {task.result_key: task for found in rows for task in tasks_of(found) if task.result_key is not None}

    async def forget(self, tenant: Tenant, keys: Collection[str]) -> None:
        for key in sorted(set(keys)):
            await self._statements.write(_FORGET, {"the_tenant": tenant, "key": key})

    async def withdraw(self, video_id: VideoId) -> None:
        await self._statements.write(_WITHDRAW, {"the_video": video_id})

    async def shared(self, video_id: VideoId) -> Sequence[str]:
        rows = await self._statements.read(_SHARED, {"the_video": video_id})
        return sorted({output.key for (outputs,) in rows for output in outputs})

    async def released(self, *, limit: int) -> Sequence[Released]:
        return [Released(*row) for row in await self._statements.read(_RELEASED, {"limit": limit})]

    async def collected(self, one: Released) -> None:
        await self._statements.write(_COLLECTED, {"the_video": one.video_id, "token": one.token})
