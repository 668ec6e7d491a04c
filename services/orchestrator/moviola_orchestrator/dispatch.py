"""Put waiting tasks on the queues of the workers, a few at a time.

The window: at most two unclaimed tasks per live worker (times its capacity) and kind are on the bus; the rest wait as
rows, where priority, fairness and cancel can still decide over them. A worker that rests counts for none. The row's
change and the command are one transaction, under the lock of the run, so that of any number of replicas one dispatches
a task.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from moviola.errors import StaleVersion, Unavailable
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction
from moviola.settings import Settings
from moviola.telemetry import about
from moviola.video import Task, TaskState, Worker
from moviola_orchestrator.bells import pause
from moviola_orchestrator.commands import command_for
from moviola_orchestrator.decision import Decision, Snapshot
from moviola_orchestrator.happenings import Dispatch
from moviola_orchestrator.ledger import Ledger, after
from moviola_orchestrator.step_cache import NotSeen

log: structlog.stdlib.BoundLogger = structlog.get_logger()
UNCLAIMED_PER_PLACE = 2
RETRY_SECONDS = 1.0


def room(workers: Sequence[Worker], unclaimed: Mapping[str, int]) -> dict[str, int]:
    """How many tasks more may be on the bus, by kind; kinds with no room are left out."""
    window: Counter[str] = Counter()
    for worker in workers:
        for kind in worker.kinds:
            window[kind] += UNCLAIMED_PER_PLACE * worker.capacity
    return {kind: size - unclaimed.get(kind, 0) for kind, size in window.items() if size > unclaimed.get(kind, 0)}


class Dispatcher:
    """Fills the window whenever the dispatch bell rings, and on every sweep's tick for what was held back."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._silent = timedelta(seconds=settings.worker_silent_seconds)
        self._tick = settings.sweep_seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Dispatch until *stopping*; while the database is away, wait for it."""
        while not stopping.is_set():
            try:
                await self.dispatch_waiting()
            except Unavailable as error:
                log.warning("dispatching waits for the database", reason=str(error))
                await pause(stopping, RETRY_SECONDS)
            else:
                await self._ledger.bells.dispatch.heard(timeout=self._tick)

    async def dispatch_waiting(self) -> int:
        """Dispatch what there is room for, as `Tasks.waiting` orders it; how many that were."""
        async with self._ledger.store.snapshot() as view:
            chosen = await self._chosen(view)
        return sum([await self._dispatched(task) for task in chosen])

    async def at_once(self, transaction: Transaction, snapshot: Snapshot) -> list[Decision]:
        """Dispatch the run's waiting tasks in the transaction that made them wait, if it is their turn.

        It saves the next pass a round over the database; what has to wait here, the bell's round will find.
        """
        decisions: list[Decision] = []
        waiting = {task.id for task in snapshot.tasks if task.state is TaskState.PENDING}
        if not waiting:
            return decisions
        for task in await self._chosen(transaction):
            if task.id in waiting:
                decision = await self._dispatch(transaction, snapshot, task)
                if decision is not None:
                    snapshot = after(snapshot, decision)
                    decisions.append(decision)
        return decisions

    async def _chosen(self, view: Transaction) -> list[Task]:
        """Those whose turn it is: for each kind as many as there is room for."""
        now = self._ledger.clock()
        alive = await view.workers.alive(since=now - self._silent)
        free = room([worker for worker in alive if not worker.rests(now)], await view.tasks.unclaimed())
        chosen: list[Task] = []
        while free:
            limit = sum(free.values())
            found = await view.tasks.waiting(tuple(free), now=now, limit=limit)
            # Of a full answer only the kinds that fill their room are sure: they may have crowded the others out.
            counts = Counter(task.kind for task in found)
            sure = {kind for kind, places in free.items() if len(found) < limit or counts[kind] >= places}
            for task in found:
                if task.kind in sure and free[task.kind] > 0:
                    chosen.append(task)
                    free[task.kind] -= 1
            free = {kind: places for kind, places in free.items() if kind not in sure}
        return chosen

    async def _dispatched(self, task: Task) -> bool:
        with about(task.video_id, run=task.run_id, task=task.id):
            try:
                async with self._ledger.store.transaction() as transaction:
                    snapshot = await self._ledger.load(transaction, task.run_id)
                    decision = await self._done_or_dispatched(transaction, snapshot, task) if snapshot else None
            except NotSeen as unseen:
                await unseen.look()
                self._ledger.bells.dispatch.ring()
                return False
            except StaleVersion:
                return False  # whoever was faster rings the bell again
            except Unavailable:
                raise
            except Exception:
                # One run that can't be dispatched must not keep the others from it.
                log.exception("a task can't be dispatched")
                return False
            if decision is not None:
                self._ledger.committed(decision)
            return decision is not None

    async def _done_or_dispatched(self, transaction: Transaction, snapshot: Snapshot, task: Task) -> Decision | None:
        # While it waited its turn, an equal one of another run may have been done.
        decision = await self._ledger.reuse(transaction, snapshot, task)
        return decision or await self._dispatch(transaction, snapshot, task)

    async def _dispatch(self, transaction: Transaction, snapshot: Snapshot, task: Task) -> Decision | None:
        """Dispatch *task*, and write its command; None where it may not be, or not any more."""
        found = await transaction.videos.get(task.tenant, task.video_id)
        if found is None:
            return None
        decision = await self._ledger.apply(transaction, snapshot, Dispatch(task.id))
        if not decision.changed:
            return None
        sent = next(one for one in decision.tasks if one.id == task.id)
        lease = self._ledger.policy.lease_seconds
        command = command_for(sent, decision.run, decision.tasks, found.video, lease_seconds=lease)
        await transaction.outbox.add([post(command)])
        return decision
