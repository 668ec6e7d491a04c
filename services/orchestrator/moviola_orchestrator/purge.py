"""Delete what is left of deleted videos, once no worker can write there any more.

Results that other videos share stay. First nobody may take any more of them; then what is shared is known for good, and
the rest goes. When a video that shared some is purged in its turn, those whose objects they are get looked over again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from moviola import object_keys
from moviola.messages import VideoDeleted
from moviola.ports.message_bus import post
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import Released
from moviola.video import TERMINAL_RUN_STATES, Run, RunState, Task, TaskState, Tenant, Video, VideoId
from moviola_orchestrator.happenings import DeleteRequested
from moviola_orchestrator.ledger import Ledger

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def purge(video: Video, ledger: Ledger, storage: ObjectStorage) -> bool:
    """Cancel its runs; and if nothing of them is at work, delete its objects and rows, and tell. Whether it is done.

    May be called again for a video that is half purged.
    """
    async with ledger.store.snapshot() as view:
        runs = await view.runs.of_video(video.id)
    for run in runs:
        if run.state not in TERMINAL_RUN_STATES and run.state is not RunState.CANCELING:
            await ledger.decide(run.id, DeleteRequested())
    if await _at_work(runs, ledger, ledger.clock()):
        return False
    async with ledger.store.transaction() as transaction:
        await transaction.results.withdraw(video.id)
    objects = await storage.delete(object_keys.originals(video.tenant, video.id))
    objects += await _delete_unshared(video.tenant, video.id, ledger, storage)
    if not await _forget(video, runs, ledger):
        return False
    log.info("purged a deleted video", objects=objects)
    return True


async def collect(one: Released, ledger: Ledger, storage: ObjectStorage) -> None:
    """Delete what nobody shares any more of a video that was purged before. May be called again."""
    objects = await _delete_unshared(one.tenant, one.video_id, ledger, storage)
    async with ledger.store.transaction() as transaction:
        await transaction.results.collected(one)
    log.info("collected what nobody shares any more", objects=objects)


async def _delete_unshared(tenant: Tenant, video_id: VideoId, ledger: Ledger, storage: ObjectStorage) -> int:
    async with ledger.store.snapshot() as view:
        shared = {object_keys.attempt_of(key) for key in await view.results.shared(video_id)}
    prefix = object_keys.outputs(tenant, video_id)
    if not shared:
        return await storage.delete(prefix)
    found = {object_keys.attempt_of(stored.key) async for stored in storage.list(prefix)}
    return sum([await storage.delete(one) for one in sorted(found - shared)])


async def _at_work(runs: Sequence[Run], ledger: Ledger, now: datetime) -> bool:
    """Whether some worker may still write: it has a lease, or was told to stop and may not have heard."""
    lease = timedelta(seconds=ledger.policy.lease_seconds)
    async with ledger.store.snapshot() as view:
        for run in runs:
            tasks = await view.tasks.of_run(run.id)
            if any(_may_write(task, now, lease) for task in tasks):
                return True
            current = await view.runs.get(run.id)
            if current is not None and current.state not in TERMINAL_RUN_STATES:
                return True
    return False


def _may_write(task: Task, now: datetime, lease: timedelta) -> bool:
    if task.lease_until is not None and task.lease_until > now:
        return True
    # Called off while its command was on the way: a worker may have it and have said so too late.
    unheard = task.state is TaskState.CANCELED and task.dispatched_at is not None and task.started_at is None
    return unheard and task.finished_at is not None and task.finished_at + lease > now


async def _forget(video: Video, runs: Sequence[Run], ledger: Ledger) -> bool:
    async with ledger.store.transaction() as transaction:
        if runs and await transaction.runs.lock(runs[0].id) is None:
            return False  # another replica was faster, and has told
        await transaction.videos.purged(video.id, at=ledger.clock())
        await transaction.outbox.add([post(VideoDeleted(video_id=video.id, tenant=video.tenant))])
    ledger.bells.outbox.ring()
    return True
