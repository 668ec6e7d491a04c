"""React to events: each is decided and committed before it is acknowledged.

While the database is away a delivery is kept, undecided, and tried again: handing it back would only spin it round the
bus until it counts as a dead letter. A message that can't be read, or that breaks us, goes to the dead letters.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from moviola.errors import BusUnavailable, MalformedMessage, StoreUnavailable
from moviola.messages import (
    CancelTasks,
    Message,
    TaskCanceled,
    TaskFailed,
    TaskHeartbeat,
    TaskReleased,
    TaskStarted,
    TaskSucceeded,
    VideoCancelRequested,
    VideoDeleteRequested,
    VideoReprocessRequested,
    VideoRetryRequested,
    VideoUploaded,
    WorkerAlive,
)
from moviola.ports.message_bus import Delivery, MessageBus, post
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import Transaction
from moviola.telemetry import about
from moviola.topology import ORCHESTRATOR
from moviola.video import Worker
from moviola_orchestrator.bells import pause
from moviola_orchestrator.decision import Decision, Snapshot
from moviola_orchestrator.dispatch import Dispatcher
from moviola_orchestrator.happenings import CancelRequested, DeleteRequested, WorkerWord
from moviola_orchestrator.in_order import InOrder
from moviola_orchestrator.ledger import Ledger
from moviola_orchestrator.losers import collect_losers
from moviola_orchestrator.quarantine import Quarantine

log: structlog.stdlib.BoundLogger = structlog.get_logger()
AT_ONCE = 64
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


class Reactions:
    """What the orchestrator does about each message of its queue."""

    def __init__(
        self,
        bus: MessageBus,
        ledger: Ledger,
        dispatcher: Dispatcher,
        quarantine: Quarantine,
        storage: ObjectStorage,
    ) -> None:
        self._bus = bus
        self._ledger = ledger
        self._at_once = dispatcher.at_once
        self._quarantine = quarantine
        self._storage = storage

    async def run(self, stopping: asyncio.Event) -> None:
        """React until *stopping*; what is then undecided goes back to the queue."""
        while not stopping.is_set():
            try:
                await self._consume(stopping)
            except BusUnavailable as error:
                log.warning("waiting for the bus", reason=str(error))
                await pause(stopping, LONGEST_WAIT)

    async def _consume(self, stopping: asyncio.Event) -> None:
        async def handle(delivery: Delivery) -> None:
            await self.handle(delivery, stopping)

        async with self._bus.consume(ORCHESTRATOR, prefetch=AT_ONCE) as deliveries, asyncio.TaskGroup() as group:
            order = InOrder(group, handle)

            async def feed() -> None:
                async for delivery in deliveries:
                    # The correlation id is the video's; what has none (worker.alive) keeps its order among its like.
                    order.put(delivery.envelope.correlation_id or delivery.envelope.type, delivery)

            feeding, told = group.create_task(feed()), group.create_task(stopping.wait())
            # Deliveries never end by themselves; should they, we consume anew rather than wait for ever.
            await asyncio.wait((feeding, told), return_when=asyncio.FIRST_COMPLETED)
            feeding.cancel()
            told.cancel()

    async def handle(self, delivery: Delivery, stopping: asyncio.Event) -> None:
        """React to one delivery and decide it; undecided only where the process stops while the database is away."""
        wait = FIRST_WAIT
        with about(delivery.envelope.correlation_id, message=delivery.envelope.id, type=delivery.envelope.type):
            while not stopping.is_set():
                try:
                    await self.react(delivery.envelope.message())
                except StoreUnavailable as error:
                    log.warning("an event waits for the database", reason=str(error), seconds=wait)
                    await pause(stopping, wait)
                    wait = min(LONGEST_WAIT, wait * 2)
                    continue
                except MalformedMessage as error:
                    log.warning("a message can't be read", reason=str(error))
                    return await delivery.reject()
                except Exception:
                    # It would break us again: it waits among the dead letters until somebody has looked.
                    log.exception("a message can't be handled")
                    return await delivery.reject()
                return await delivery.ack()

    async def react(self, message: Message) -> None:
        """Commit what *message* makes of things; twice is as good as once."""
        match message:
            case VideoUploaded() | VideoRetryRequested() | VideoReprocessRequested():
                await self._ledger.begin(message.tenant, message.video_id, also=self._at_once)
            case VideoCancelRequested():
                await self._ledger.call_off(message.tenant, message.video_id, CancelRequested())
            case VideoDeleteRequested():
                await self._ledger.call_off(message.tenant, message.video_id, DeleteRequested())
                self._ledger.bells.sweep.ring()
            case TaskHeartbeat():
                await self._heartbeat(message)
            case TaskStarted() | TaskSucceeded() | TaskFailed() | TaskReleased() | TaskCanceled():
                await self._heard(message)
            case WorkerAlive():
                await self._worker(message)
            case _:
                raise MalformedMessage(f"The orchestrator has nothing to do with {message.type}.")

    async def _heard(self, word: WorkerWord) -> None:
        async def also(transaction: Transaction, snapshot: Snapshot) -> Sequence[Decision]:
            await self._quarantine.judge(transaction, word)
            return await self._at_once(transaction, snapshot)

        decision = await self._ledger.decide(word.run_id, word, also=also)
        if decision is not None:
            await collect_losers(self._storage, decision, word)
        if decision is None and isinstance(word, TaskStarted | TaskHeartbeat):
            # The run is gone, purged with its video.
            async with self._ledger.store.transaction() as transaction:
                await transaction.outbox.add([post(CancelTasks(task_ids=(word.task_id,)))])
            self._ledger.bells.outbox.ring()

    async def _heartbeat(self, word: TaskHeartbeat) -> None:
        lease_until = self._ledger.clock() + timedelta(seconds=self._ledger.policy.lease_seconds)
        async with self._ledger.store.transaction() as transaction:
            renewed = await transaction.tasks.renew(
                word.task_id, attempt=word.attempt, nonce=word.nonce, lease_until=lease_until
            )
        if not renewed:
            await self._heard(word)

    async def _worker(self, word: WorkerAlive) -> None:
        async with self._ledger.store.transaction() as transaction:
            if word.leaving:
                await transaction.workers.left(word.worker)
                return
            worker = Worker(
                id=word.worker,
                kinds=word.kinds,
                version=word.version,
                capacity=word.capacity,
                seen_at=self._ledger.clock(),
                engine=word.engine,
            )
            await transaction.workers.seen(worker)
            reminded = await self._quarantine.remind(transaction, word.worker)
        if reminded:
            self._ledger.bells.outbox.ring()
        self._ledger.bells.dispatch.ring()
