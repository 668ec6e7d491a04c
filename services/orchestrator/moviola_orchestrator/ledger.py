"""Load, decide, save: one transaction for each event, under the lock of its run and guarded by its version.

State, history, new tasks and the messages about them are committed together or not at all. A commit whose outcome is
unknown is simply tried again: an event that took effect already changes nothing the second time.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from moviola.errors import StaleVersion
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction, VideoStore, VideoWithRuns
from moviola.settings import Settings
from moviola.video import (
    TERMINAL_RUN_STATES,
    Run,
    RunId,
    RunState,
    Task,
    TaskId,
    TaskState,
    Tenant,
    VideoId,
    VideoState,
    awaits_run,
    new_id,
    utc_now,
)
from moviola_orchestrator.again import begin_again
from moviola_orchestrator.bells import Bells
from moviola_orchestrator.deciding import decide
from moviola_orchestrator.decision import Decision, Moment, Policy, Snapshot
from moviola_orchestrator.happenings import CancelRequested, DeleteRequested, FoundInCache, Happening
from moviola_orchestrator.progress import begin
from moviola_orchestrator.step_cache import NotSeen, StepCache

log: structlog.stdlib.BoundLogger = structlog.get_logger()
Clock = Callable[[], datetime]


Also = Callable[[Transaction, Snapshot], Awaitable[Sequence[Decision]]]
"""What else is to be decided in the same transaction, upon the run as the first decision left it."""


class Ledger:
    """The only way to change runs. ``clock`` and ``chance`` (0 to 1, for jitter) can be replaced in tests.

    With a ``cache``, tasks that another run has done already are done at once.
    """

    def __init__(
        self,
        store: VideoStore,
        settings: Settings,
        bells: Bells,
        *,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
        cache: StepCache | None = None,
    ) -> None:
        self.store = store
        self.bells = bells
        self.clock = clock
        self.policy = Policy.of(settings)
        self._chance = chance
        self._cache = cache

    async def begin(self, tenant: Tenant, video_id: VideoId, *, also: Also | None = None) -> Decision | None:
        """Begin the run of an uploaded video that is to be made, its first or one that was asked for.

        None, and nothing done, where there is none, or while the one before it goes on.
        """

        async def decided(transaction: Transaction) -> list[Decision]:
            found = await transaction.videos.get(tenant, video_id)
            if found is None or found.video.state is not VideoState.UPLOADED:
                return []
            decision = await self._begun(transaction, found)
            if decision is None:
                return []
            now = Snapshot(
                decision.run,
                (),
                serving=found.serving is not None,
                images=await self._images(transaction, decision.run),
            )
            decision = await self._reused(transaction, now, decision)
            await transaction.runs.add(decision.run)
            await self._write(transaction, decision)
            begun = replace(now, run=decision.run, tasks=decision.tasks)
            return [decision, *(await also(transaction, begun) if also else ())]

        return await self._committed(decided)

    async def _begun(self, transaction: Transaction, found: VideoWithRuns) -> Decision | None:
        video, latest = found.video, found.latest
        if latest is None:
            return begin(video, self._moment())
        if not awaits_run(video, latest) or latest.state not in TERMINAL_RUN_STATES:
            return None
        earlier = Snapshot(latest, tuple(await transaction.tasks.of_run(latest.id)))
        serving = found.serving is not None
        return begin_again(video, earlier, self._moment(), fusion=self.policy.fusion, serving=serving)

    async def decide(self, run_id: RunId, event: Happening, *, also: Also | None = None) -> Decision | None:
        """Decide what *event* makes of a run, and commit it; None where there is no such run."""

        async def decided(transaction: Transaction) -> list[Decision]:
            snapshot = await self.load(transaction, run_id)
            if snapshot is None:
                return []
            decision = await self._reused(transaction, snapshot, self._decided(snapshot, event))
            await self._save(transaction, decision)
            if also is None or not decision.changed:
                return [decision]
            return [decision, *await also(transaction, after(snapshot, decision))]

        return await self._committed(decided)

    async def load(self, transaction: Transaction, run_id: RunId) -> Snapshot | None:
        """The run, locked until the transaction ends, with its tasks."""
        run = await transaction.runs.lock(run_id)
        if run is None:
            return None
        tasks = tuple(await transaction.tasks.of_run(run_id))
        images = await self._images(transaction, run)
        return Snapshot(run, tasks, serving=await _serving(transaction, run), images=images)

    async def apply(self, transaction: Transaction, snapshot: Snapshot, event: Happening) -> Decision:
        """Decide and write, in a transaction of the caller's, who tells us by `committed`."""
        decision = self._decided(snapshot, event)
        await self._save(transaction, decision)
        return decision

    async def reuse(self, transaction: Transaction, snapshot: Snapshot, task: Task) -> Decision | None:
        """Do a waiting *task* by what another run has done meanwhile, in a transaction of the caller's. ``NotSeen``."""
        found = await self._found(transaction, snapshot, [task])
        if task.id not in found:
            return None
        decision = self._decided(snapshot, FoundInCache(task.id, found[task.id]))
        decision = await self._reused(transaction, snapshot, decision)
        await self._save(transaction, decision)
        return decision

    def _decided(self, snapshot: Snapshot, event: Happening) -> Decision:
        decision = decide(snapshot, event, self._moment(), self.policy)
        if decision.refused is not None:
            log.info("refused an event", event_type=event.type, run=snapshot.run.id, reason=decision.refused)
        return decision

    async def _save(self, transaction: Transaction, decision: Decision) -> None:
        if decision.changed:
            await transaction.runs.save(decision.run)
        await self._write(transaction, decision)

    async def _images(self, transaction: Transaction, run: Run) -> Mapping[str, str]:
        return await self._cache.images(transaction, run) if self._cache is not None else {}

    async def _reused(self, transaction: Transaction, snapshot: Snapshot, decision: Decision) -> Decision:
        """*decision*, and what follows as other runs have done what its new tasks would do. ``NotSeen``."""
        if decision.forgotten:
            await transaction.results.forget(snapshot.run.tenant, decision.forgotten)
        looked: set[TaskId] = set()
        while fresh := [one for one in decision.added if one.state is TaskState.PENDING and one.id not in looked]:
            looked |= {task.id for task in fresh}
            now = replace(snapshot, run=decision.run, tasks=decision.tasks)
            for task_id, made in (await self._found(transaction, now, fresh)).items():
                now = replace(snapshot, run=decision.run, tasks=decision.tasks)
                decision = decision.then(self._decided(now, FoundInCache(task_id, made)))
        return decision

    async def _found(
        self, transaction: Transaction, snapshot: Snapshot, tasks: Sequence[Task]
    ) -> Mapping[TaskId, Task]:
        return await self._cache.find(transaction, snapshot, tasks, now=self.clock()) if self._cache is not None else {}

    def committed(self, decision: Decision) -> None:
        """Wake whoever has to act on what was committed."""
        if decision.changed or decision.messages:
            self.bells.outbox.ring()
        if any(task.state is not TaskState.DISPATCHED for task in (*decision.added, *decision.saved)):
            self.bells.dispatch.ring()  # a place on a queue is free, or a task waits
        for task in decision.saved:
            if task.state is TaskState.PENDING and task.not_before is not None:
                self.bells.dispatch.ring_in((task.not_before - self.clock()).total_seconds())

    async def call_off(self, tenant: Tenant, video_id: VideoId, event: CancelRequested | DeleteRequested) -> None:
        """Cancel what the client meant: the run that was asked for last, at the time.

        Who asks for another run takes back what was canceled before, so that a late word of it does no harm.
        """
        async with self.store.snapshot() as view:
            found = await view.videos.get(tenant, video_id)
        if found is None:
            return
        if found.latest is None or awaits_run(found.video, found.latest):
            await self.begin(tenant, video_id)  # it is canceled as it begins
            return
        meant = found.latest.number == 1 or found.video.cancel_requested_at is not None
        if meant or isinstance(event, DeleteRequested):
            await self.decide(found.latest.id, event)

    async def _committed(self, decided: Callable[[Transaction], Awaitable[Sequence[Decision]]]) -> Decision | None:
        """Commit what is *decided*, anew where somebody was faster; the first decision, None where there was none."""
        while True:
            try:
                async with self.store.transaction() as transaction:
                    decisions = await decided(transaction)
            except NotSeen as unseen:
                await unseen.look()
                continue
            except StaleVersion:
                continue
            for decision in decisions:
                self.committed(decision)
            return decisions[0] if decisions else None

    def _moment(self) -> Moment:
        return Moment(self.clock(), self._chance(), new_id)

    async def _write(self, transaction: Transaction, decision: Decision) -> None:
        if decision.added:
            await transaction.tasks.add(decision.added)
        if decision.saved:
            await transaction.tasks.save(decision.saved)
        if decision.entries:
            await transaction.history.append(decision.entries)
        if decision.messages:
            about = decision.run.video_id
            await transaction.outbox.add([post(message, correlation_id=about) for message in decision.messages])


def after(snapshot: Snapshot, decision: Decision) -> Snapshot:
    """The run as *decision* left it; saving has made the row's version one more."""
    run = replace(decision.run, version=snapshot.run.version + 1)
    return replace(snapshot, run=run, tasks=decision.tasks)


async def _serving(transaction: Transaction, run: Run) -> bool:
    """Whether an earlier run of the video is ready; the first has none before it."""
    if run.number == 1:
        return False
    return any(other.state is RunState.READY for other in await transaction.runs.of_video(run.video_id))
