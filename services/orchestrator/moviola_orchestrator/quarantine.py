"""A worker that fails one task after the other rests: a full disk or a broken library would eat every task's tries.

Only what may be the worker's own fault counts, and each task once: a file that kills every child is no reason to let
all workers rest. A worker that rests takes nothing and counts for no window; it goes on after a while, or once a task
that it had begun ends well. One more failure then has it rest again, until it has done something well.
"""

from datetime import timedelta

import structlog

from moviola.messages import RestWorker, TaskFailed, TaskSucceeded
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction
from moviola.settings import Settings
from moviola_orchestrator.happenings import WorkerWord
from moviola_orchestrator.ledger import Clock

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def is_own_fault(word: TaskFailed) -> bool:
    """Whether the failure may be the worker's, rather than the file's, the recipe's or the storage's."""
    return word.crashed or (not word.permanent and word.code.startswith(("worker.", "storage.no_space")))


class Quarantine:
    """Judges workers by what they say of their tasks, in the transaction in which that is decided."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._failures = settings.quarantine_failures
        self._seconds = settings.quarantine_seconds
        self._clock = clock

    async def judge(self, transaction: Transaction, word: WorkerWord) -> None:
        """Count a failure that was accepted, or forget them all upon a success."""
        match word:
            case TaskSucceeded():
                if await transaction.workers.clear(word.worker):
                    await self._tell(transaction, word.worker, 0.0)
            case TaskFailed() if is_own_fault(word):
                strikes = await transaction.workers.strike(word.worker, task_id=word.task_id)
                if strikes >= self._failures:
                    log.warning("a worker has to rest", worker=word.worker, failures=strikes, code=word.code)
                    until = self._clock() + timedelta(seconds=self._seconds)
                    await transaction.workers.rest(word.worker, until=until)
                    await self._tell(transaction, word.worker, self._seconds)
            case _:
                pass

    async def remind(self, transaction: Transaction, worker_id: str) -> bool:
        """Tell a worker that rests once more: hints may be lost. Whether there was something to tell."""
        worker, now = await transaction.workers.get(worker_id), self._clock()
        if worker is None or worker.resting_until is None or not worker.rests(now):
            return False
        await self._tell(transaction, worker_id, (worker.resting_until - now).total_seconds())
        return True

    async def _tell(self, transaction: Transaction, worker_id: str, seconds: float) -> None:
        await transaction.outbox.add([post(RestWorker(worker=worker_id, seconds=seconds))])
