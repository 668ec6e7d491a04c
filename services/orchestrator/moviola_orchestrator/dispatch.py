"""Put waiting tasks on the queues of the workers, a few at a time.

The window: at most two unclaimed tasks per live worker (times its capacity) and kind are on the bus; the rest wait as
rows, where priority and cancel can still decide over them. The row's change and the command are one transaction, under
the lock of the run, so that of any number of replicas one dispatches a task.
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
from moviola.video import Task, Worker
from moviola_orchestrator.bells import pause
from moviola_orchestrator.commands import command_for
from moviola_orchestrator.decision import Decision
from moviola_orchestrator.happenings import Dispatch
from moviola_orchestrator.ledger import Ledger

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
        """Dispatch what there is room for, higher priorities and older tasks first; how many that were."""
        return sum([await self._dispatched(task) for task in await self._chosen()])

    async def _chosen(self) -> list[Task]:
        now = self._ledger.clock()
        chosen: list[Task] = []
        async with self._ledger.store.snapshot() as view:
            workers = await view.workers.alive(since=now - self._silent)
            for kind, places in room(workers, await view.tasks.unclaimed()).items():
                chosen.extend(await view.tasks.waiting((kind,), now=now, limit=places))
        return chosen

    async def _dispatched(self, task: Task) -> bool:
        with about(task.video_id, run=task.run_id, task=task.id):
            try:
                async with self._ledger.store.transaction() as transaction:
                    decision = await self.dispatch_in(transaction, task)
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

    async def dispatch_in(self, transaction: Transaction, task: Task) -> Decision | None:
        """Dispatch *task* in the caller's transaction; None where it may not be, or no more."""
        decision = await self._ledger.decide_in(transaction, task.run_id, Dispatch(task.id))
        found = await transaction.videos.get(task.tenant, task.video_id)
        if decision is None or not decision.changed or found is None:
            return None
        tasks = await transaction.tasks.of_run(task.run_id)
        sent = next(one for one in tasks if one.id == task.id)
        command = command_for(sent, decision.run, tasks, found.video, lease_seconds=self._ledger.policy.lease_seconds)
        await transaction.outbox.add([post(command)])
        return decision
