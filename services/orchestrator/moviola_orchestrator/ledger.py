"""Load, decide, save: one transaction for each event, under the lock of its run and guarded by its version.

State, history, new tasks and the messages about them are committed together or not at all. A commit whose outcome is
unknown is simply tried again: an event that took effect already changes nothing the second time.
"""

import random
from collections.abc import Callable
from datetime import datetime

import structlog

from moviola.errors import StaleVersion
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction, VideoStore
from moviola.settings import Settings
from moviola.video import Run, RunId, RunState, TaskState, Tenant, VideoId, VideoState, new_id, utc_now
from moviola_orchestrator.bells import Bells
from moviola_orchestrator.deciding import decide
from moviola_orchestrator.decision import Decision, Moment, Policy, Snapshot
from moviola_orchestrator.happenings import CancelRequested, DeleteRequested, Happening
from moviola_orchestrator.progress import begin

log: structlog.stdlib.BoundLogger = structlog.get_logger()
Clock = Callable[[], datetime]


class Ledger:
    """The only way to change runs. ``clock`` and ``chance`` (0 to 1, for jitter) can be replaced in tests."""

    def __init__(
        self,
        store: VideoStore,
        settings: Settings,
        bells: Bells,
        *,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.store = store
        self.bells = bells
        self.clock = clock
        self.policy = Policy.of(settings)
        self._chance = chance

    async def begin(self, tenant: Tenant, video_id: VideoId) -> Decision | None:
        """Begin the first run of an uploaded video; None, and nothing done, where there is nothing to begin."""
        while True:
            try:
                async with self.store.transaction() as transaction:
                    found = await transaction.videos.get(tenant, video_id)
                    if found is None or found.latest is not None or found.video.state is not VideoState.UPLOADED:
                        return None
                    decision = begin(found.video, self._moment())
                    await transaction.runs.add(decision.run)
                    await self._write(transaction, decision)
            except StaleVersion:
                continue  # somebody else began it meanwhile
            self._after(decision)
            return decision

    async def decide(self, run_id: RunId, event: Happening) -> Decision | None:
        """Decide what *event* makes of a run, and commit it; None where there is no such run."""
        while True:
            try:
                async with self.store.transaction() as transaction:
                    decided = await self.decide_in(transaction, run_id, event)
            except StaleVersion:
                continue
            if decided is not None:
                self._after(decided)
            return decided

    async def decide_in(self, transaction: Transaction, run_id: RunId, event: Happening) -> Decision | None:
        """The same within a transaction of the caller's, who calls `committed` when it has."""
        snapshot = await self.load(transaction, run_id)
        if snapshot is None:
            return None
        decision = decide(snapshot, event, self._moment(), self.policy)
        if decision.changed:
            await transaction.runs.save(decision.run)
        await self._write(transaction, decision)
        if decision.refused is not None:
            log.info("refused an event", event_type=event.type, run=run_id, reason=decision.refused)
        return decision

    async def load(self, transaction: Transaction, run_id: RunId) -> Snapshot | None:
        """The run, locked until the transaction ends, with its tasks."""
        run = await transaction.runs.lock(run_id)
        if run is None:
            return None
        return Snapshot(run, tuple(await transaction.tasks.of_run(run_id)), serving=await _serving(transaction, run))

    async def call_off(self, tenant: Tenant, video_id: VideoId, event: CancelRequested | DeleteRequested) -> None:
        """Cancel what the client meant: the run that was the latest when it asked.

        The times of two hosts are compared only where there are several runs to choose from.
        """
        async with self.store.snapshot() as view:
            found = await view.videos.get(tenant, video_id)
        if found is None:
            return
        if found.latest is None:
            await self.begin(tenant, video_id)  # it is canceled as it begins
            return
        asked = found.video.cancel_requested_at
        meant = found.latest.number == 1 or (asked is not None and asked >= found.latest.created_at)
        if meant or isinstance(event, DeleteRequested):
            await self.decide(found.latest.id, event)

    def committed(self, *decisions: Decision) -> None:
        """Wake whoever has to act on what was committed."""
        for decision in decisions:
            self._after(decision)

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

    def _after(self, decision: Decision) -> None:
        if decision.messages:
            self.bells.outbox.ring()
        if decision.changed:
            self.bells.dispatch.ring()  # a place on a queue is free, or a task waits
        for task in decision.saved:
            if task.state is TaskState.PENDING and task.not_before is not None:
                self.bells.dispatch.ring_in((task.not_before - self.clock()).total_seconds())


async def _serving(transaction: Transaction, run: Run) -> bool:
    """Whether an earlier run of the video is ready; the first has none before it."""
    if run.number == 1:
        return False
    return any(other.state is RunState.READY for other in await transaction.runs.of_video(run.video_id))
