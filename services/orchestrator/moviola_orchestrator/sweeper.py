"""Look over everything now and then, since a message is only a doorbell: what was lost on the bus is found here.

Any number of replicas may sweep at once: each find is decided under the lock of its run, which looks again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from moviola.errors import Unavailable
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.settings import Settings
from moviola.telemetry import about
from moviola.topology import task_queue
from moviola.video import Task, TaskState, Video
from moviola_orchestrator.grace import Grace
from moviola_orchestrator.happenings import CancelRequested, DeadlinePassed, LeaseExpired, Restarted, Unclaimed
from moviola_orchestrator.ledger import Ledger
from moviola_orchestrator.purge import collect, purge

log: structlog.stdlib.BoundLogger = structlog.get_logger()
AT_ONCE = 100


class Sweeper:
    """``alone``: all workers live in this process, so that what it finds at work when it starts is lost."""

    def __init__(
        self, bus: MessageBus, ledger: Ledger, storage: ObjectStorage, settings: Settings, *, alone: bool = False
    ) -> None:
        self._bus = bus
        self._ledger = ledger
        self._storage = storage
        self._every = settings.sweep_seconds
        self._unclaimed = timedelta(seconds=settings.unclaimed_seconds)
        self._grace = Grace(
            bus,
            ledger.store,
            lease=timedelta(seconds=settings.lease_seconds),
            sweep=timedelta(seconds=settings.sweep_seconds),
            since=None if alone else ledger.clock(),
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until *stopping*."""
        while not stopping.is_set():
            await self.sweep()
            await self._ledger.bells.sweep.heard(timeout=self._every)

    async def recover(self) -> int:
        """Put back all that was dispatched or running, uncharged; how many runs had some. Only for a lone process."""
        async with self._ledger.store.snapshot() as view:
            lost = {task.run_id for task in await view.tasks.running()}
        for run_id in sorted(lost):
            await self._ledger.decide(run_id, Restarted())
        return len(lost)

    async def sweep(self) -> None:
        """Once over everything. A part that is away is left for the next time, and keeps nobody from the rest."""
        now = self._ledger.clock()
        sweeps: tuple[Callable[[], Awaitable[None]], ...] = (
            self._begin_lost,
            self._cancel_asked,
            self._purge,
            self._collect,
        )
        if self._grace.over(now):
            sweeps = (lambda: self._expire(now), *sweeps)
        for one in sweeps:
            try:
                await one()
            except Unavailable as error:
                log.warning("the sweep waits", reason=str(error))
        self._ledger.bells.dispatch.ring()  # for what was held back until now

    async def _expire(self, now: datetime) -> None:
        async with self._ledger.store.transaction() as transaction:
            overdue = await transaction.tasks.overdue(now=now, dispatched_before=now - self._unclaimed, limit=AT_ONCE)
        for task in overdue:
            if task.state is TaskState.RUNNING:
                passed = task.deadline is not None and task.deadline <= now
                await self._guarded(task, DeadlinePassed(task.id) if passed else LeaseExpired(task.id))
        for task in await self._vanished([task for task in overdue if task.state is TaskState.DISPATCHED]):
            await self._guarded(task, Unclaimed(task.id))

    async def _vanished(self, unclaimed: Sequence[Task]) -> list[Task]:
        """Those whose command can't be on its queue any more: more are unclaimed than wait there.

        A queue is first in, first out, so that the oldest were taken; a wrong guess costs a second delivery, which the
        fence sorts out.
        """
        if not unclaimed:
            return []
        async with self._ledger.store.snapshot() as view:
            dispatched = await view.tasks.unclaimed()
            unsent, _ = await view.outbox.pending()
        by_kind: defaultdict[str, list[Task]] = defaultdict(list)
        for task in sorted(unclaimed, key=lambda one: (one.dispatched_at or one.created_at, one.id)):
            by_kind[task.kind].append(task)
        vanished: list[Task] = []
        for kind, tasks in by_kind.items():
            waiting = unsent + await self._bus.depth(task_queue(kind))
            vanished.extend(tasks[: max(0, dispatched.get(kind, 0) - waiting)])
        return vanished

    async def _begin_lost(self) -> None:
        async with self._ledger.store.snapshot() as view:
            videos = await view.videos.without_run(limit=AT_ONCE)
        for video in videos:
            await self._guarded_video(video, self._ledger.begin(video.tenant, video.id))

    async def _cancel_asked(self) -> None:
        async with self._ledger.store.snapshot() as view:
            videos = await view.videos.to_cancel(limit=AT_ONCE)
        for video in videos:
            await self._guarded_video(video, self._ledger.call_off(video.tenant, video.id, CancelRequested()))

    async def _purge(self) -> None:
        async with self._ledger.store.snapshot() as view:
            videos = await view.videos.to_purge(limit=AT_ONCE)
        for video in videos:
            await self._guarded_video(video, purge(video, self._ledger, self._storage))

    async def _collect(self) -> None:
        async with self._ledger.store.snapshot() as view:
            released = await view.results.released(limit=AT_ONCE)
        for one in released:
            with about(one.video_id):
                await _guarded(collect(one, self._ledger, self._storage))

    async def _guarded(self, task: Task, event: DeadlinePassed | LeaseExpired | Unclaimed) -> None:
        with about(task.video_id, run=task.run_id, task=task.id):
            log.warning("a task is overdue", found=event.type, worker=task.worker, attempt=task.attempt)
            await _guarded(self._ledger.decide(task.run_id, event))

    async def _guarded_video(self, video: Video, work: Awaitable[object]) -> None:
        with about(video.id):
            await _guarded(work)


async def _guarded(work: Awaitable[object]) -> None:
    try:
        await work
    except Unavailable:
        raise
    except Exception:
        # One row that can't be swept must not keep the others from it; the next sweep tries again.
        log.exception("a sweep failed for one video")
