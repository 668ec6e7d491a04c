"""The message bus inside one process: the same exchanges, queues, dead letters and delivery limit as on RabbitMQ.

Nothing survives the process; the database is the truth, and what was lost here is sent again from there.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from moviola.adapters.message_bus.in_process_queues import Bell, Consumer, Death, Listener, Stored, WaitingQueue
from moviola.adapters.message_bus.routing import rfc3339, takes
from moviola.ports.message_bus import Delivery, Envelope, MessageBus, Posting
from moviola.topology import EXCHANGES, QUEUES, Address, Exchange, Queue
from moviola.video import utc_now


@asynccontextmanager
async def open_in_process() -> AsyncIterator[MessageBus]:
    """A bus of this process alone, with the topology of ``moviola.topology``; it ends with the context."""
    yield InProcessMessageBus()


class InProcessMessageBus:
    """A publisher's ``user_id`` is believed: whoever publishes here is our own code."""

    def __init__(self) -> None:
        self._bell = Bell()
        self._since = utc_now()
        self._exchanges = {exchange.name: exchange for exchange in EXCHANGES}
        self._queues = {queue.name: WaitingQueue(queue, self._bell, self._bury) for queue in QUEUES}
        self._listeners: list[Listener] = []

    async def publish(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            self._exchange(posting.address.exchange)
        for posting in postings:
            envelope = replace(posting.envelope, headers=dict(posting.envelope.headers))
            self._route(posting.address, envelope)

    @asynccontextmanager
    async def consume(self, queue: str, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        consumer = Consumer(self._queue(queue), prefetch)
        try:
            yield consumer
        finally:
            consumer.close()

    async def take(self, queues: Sequence[str]) -> Delivery:
        wanted = [self._queue(name) for name in queues]
        while True:
            for candidate in wanted:
                if len(candidate):
                    return candidate.hand_out()
            await self._bell.wait()

    @asynccontextmanager
    async def listen(self, exchange: str, keys: Sequence[str]) -> AsyncIterator[AsyncIterator[Envelope]]:
        listener = Listener(self._exchange(exchange), keys)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            listener.close()

    async def depth(self, queue: str) -> int:
        return len(self._queue(queue))

    async def check(self) -> None:
        """It always answers: it is here."""

    def connected_since(self) -> datetime | None:
        return self._since

    def _route(self, address: Address, envelope: Envelope, *, published: Address | None = None) -> None:
        """*published*: where it was published first, for what an exchange hands on to its alternate."""
        exchange = self._exchange(address.exchange)
        queues = [one for one in self._queues.values() if takes(one.queue.bindings, exchange, address.key)]
        listeners = [listener for listener in self._listeners if listener.wants(address)]
        for queue in queues:
            queue.put(Stored(envelope, published or address))
        for listener in listeners:
            listener.hear(envelope)
        if not queues and not listeners and exchange.alternate is not None:
            self._route(Address(exchange.alternate, address.key), envelope, published=address)

    def _bury(self, queue: Queue, stored: Stored, reason: Death) -> None:
        """To the dead letters of *queue*, with the headers that RabbitMQ gives them, or away where it has none."""
        if queue.dead_letter is None:
            return
        headers = {
            "x-first-death-queue": queue.name,
            "x-first-death-reason": reason,
            "x-first-death-exchange": stored.address.exchange,
            **stored.envelope.headers,
            "x-death-queue": queue.name,
            "x-death-reason": reason,
            "x-death-exchange": stored.address.exchange,
            "x-death-count": "1",
            "x-death-time": rfc3339(utc_now()),
        }
        self._route(Address(queue.dead_letter, stored.address.key), replace(stored.envelope, headers=headers))

    def _exchange(self, name: str) -> Exchange:
        if name not in self._exchanges:
            raise ValueError(f"There is no exchange {name!r} on the bus.")
        return self._exchanges[name]

    def _queue(self, name: str) -> WaitingQueue:
        if name not in self._queues:
            raise ValueError(f"There is no queue {name!r} on the bus.")
        return self._queues[name]
