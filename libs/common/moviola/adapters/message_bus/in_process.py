"""The message bus inside one process: the same exchanges, queues, dead letters and delivery limit as on RabbitMQ.

Nothing survives the process; the database is the truth, and what was lost here is sent again from there. Everything
happens on one event loop and between two awaits, so a message is always in exactly one place.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from moviola.ports.message_bus import Delivery, Envelope, MessageBus, Posting
from moviola.topology import DELIVERY_LIMIT, EXCHANGES, QUEUES, Address, Binding, Exchange, Queue
from moviola.video import utc_now

# A listener that reads nothing must not fill the memory; the oldest copies go first.
_LISTENER_KEEPS = 100_000


@asynccontextmanager
async def open_in_process() -> AsyncIterator[MessageBus]:
    """A bus of this process alone, with the topology of ``moviola.topology``; it ends with the context."""
    yield InProcessMessageBus()


def matches(exchange: Exchange, pattern: str, key: str) -> bool:
    """Whether a binding with *pattern* on *exchange* takes the routing key *key*, by the rules of AMQP 0-9-1."""
    match exchange.kind:
        case "fanout":
            return True
        case "direct":
            return pattern == key
        case "topic":
            return _words_match(pattern.split("."), key.split(".") if key else [])


def _words_match(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_words_match(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _words_match(rest, words[1:])


class _Bell:
    """Wakes everyone who waits, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)


@dataclass(frozen=True, slots=True)
class _Stored:
    envelope: Envelope
    exchange: str
    returns: int = 0


class _Waiting:
    """One queue: what waits in it. What comes back goes to the front, as in a quorum queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.ready: deque[_Stored] = deque()


class _InProcessDelivery:
    def __init__(self, bus: "InProcessMessageBus", waiting: _Waiting, stored: _Stored) -> None:
        self._bus = bus
        self._waiting = waiting
        self._stored = stored
        self.decided = False

    @property
    def envelope(self) -> Envelope:
        return self._stored.envelope

    @property
    def redelivered(self) -> bool:
        return self._stored.returns > 0

    async def ack(self) -> None:
        self._decide()

    async def reject(self) -> None:
        if self._decide():
            self._bus.bury(self._waiting.queue, self._stored, "rejected")

    async def release(self) -> None:
        self.give_back()

    def give_back(self) -> None:
        if self._decide():
            self._bus.put_back(self._waiting, self._stored)

    def _decide(self) -> bool:
        first = not self.decided
        self.decided = True
        self._bus.bell.ring()
        return first


class _Consumer:
    """The deliveries of one ``consume`` context."""

    def __init__(self, bus: "InProcessMessageBus", waiting: _Waiting, prefetch: int) -> None:
        self._bus = bus
        self._waiting = waiting
        self._prefetch = prefetch
        self._undecided: list[_InProcessDelivery] = []
        self._closed = False

    def __aiter__(self) -> "_Consumer":
        return self

    async def __anext__(self) -> Delivery:
        while not self._closed:
            self._undecided = [delivery for delivery in self._undecided if not delivery.decided]
            if self._waiting.ready and len(self._undecided) < self._prefetch:
                delivery = self._bus.hand_out(self._waiting)
                self._undecided.append(delivery)
                return delivery
            await self._bus.bell.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        self._closed = True
        # From the youngest to the oldest, each to the front: the queue has its old order again.
        for delivery in reversed(self._undecided):
            delivery.give_back()
        self._bus.bell.ring()


class _Listener:
    """The copies of one ``listen`` context."""

    def __init__(self, exchange: Exchange, keys: Sequence[str]) -> None:
        self._exchange = exchange
        self._keys = tuple(keys)
        self._copies: deque[Envelope] = deque(maxlen=_LISTENER_KEEPS)
        self._bell = _Bell()
        self._closed = False

    def wants(self, address: Address) -> bool:
        return address.exchange == self._exchange.name and any(
            matches(self._exchange, pattern, address.key) for pattern in self._keys
        )

    def hear(self, envelope: Envelope) -> None:
        self._copies.append(envelope)
        self._bell.ring()

    def __aiter__(self) -> "_Listener":
        return self

    async def __anext__(self) -> Envelope:
        while not self._copies:
            if self._closed:
                raise StopAsyncIteration
            await self._bell.wait()
        return self._copies.popleft()

    def close(self) -> None:
        self._closed = True
        self._copies.clear()
        self._bell.ring()


class InProcessMessageBus:
    """The bus; ``bury``, ``put_back``, ``hand_out`` and ``bell`` are for its own deliveries and consumers."""

    def __init__(self) -> None:
        self.bell = _Bell()
        self._since = utc_now()
        self._exchanges = {exchange.name: exchange for exchange in EXCHANGES}
        self._queues = {queue.name: _Waiting(queue) for queue in QUEUES}
        self._listeners: list[_Listener] = []
        self._clock = count(1)
        self._last_taken: dict[str, int] = {}

    async def publish(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            self._exchange(posting.address.exchange)
        for posting in postings:
            envelope = replace(posting.envelope, headers=dict(posting.envelope.headers))
            self._route(posting.address, envelope)

    @asynccontextmanager
    async def consume(self, queue: str, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        consumer = _Consumer(self, self._queue(queue), prefetch)
        try:
            yield consumer
        finally:
            consumer.close()

    async def take(self, queues: Sequence[str]) -> Delivery:
        waiting = [self._queue(name) for name in queues]
        while True:
            # The queue that was served longest ago comes first.
            for candidate in sorted(waiting, key=lambda one: self._last_taken.get(one.queue.name, 0)):
                if candidate.ready:
                    self._last_taken[candidate.queue.name] = next(self._clock)
                    return self.hand_out(candidate)
            await self.bell.wait()

    @asynccontextmanager
    async def listen(self, exchange: str, keys: Sequence[str]) -> AsyncIterator[AsyncIterator[Envelope]]:
        listener = _Listener(self._exchange(exchange), keys)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            listener.close()

    async def depth(self, queue: str) -> int:
        return len(self._queue(queue).ready)

    async def check(self) -> None:
        """It always answers: it is here."""

    def connected_since(self) -> datetime | None:
        return self._since

    def hand_out(self, waiting: _Waiting) -> _InProcessDelivery:
        """The oldest message of a queue that holds one."""
        return _InProcessDelivery(self, waiting, waiting.ready.popleft())

    def put_back(self, waiting: _Waiting, stored: _Stored) -> None:
        """A message comes back undecided; a quorum queue hands out N+1 times under a limit of N, and so do we.

        A queue without dead letters has no limit: over it, a message that can't go on would be dropped.
        """
        if waiting.queue.dead_letter is not None and stored.returns >= DELIVERY_LIMIT:
            self.bury(waiting.queue, stored, "delivery_limit")
            return
        waiting.ready.appendleft(replace(stored, returns=stored.returns + 1))
        self.bell.ring()

    def bury(self, queue: Queue, stored: _Stored, reason: str) -> None:
        """To the dead letters of *queue*, with the headers that RabbitMQ gives them, or away where it has none."""
        if queue.dead_letter is None:
            return
        died = {"x-first-death-queue": queue.name, "x-first-death-reason": reason}
        headers: Mapping[str, str] = {
            **died,
            "x-first-death-exchange": stored.exchange,
            **stored.envelope.headers,
        }
        self._route(Address(queue.dead_letter, ""), replace(stored.envelope, headers=headers))

    def _route(self, address: Address, envelope: Envelope) -> None:
        exchange = self._exchange(address.exchange)
        queues = [waiting for waiting in self._queues.values() if _takes(waiting.queue.bindings, exchange, address.key)]
        listeners = [listener for listener in self._listeners if listener.wants(address)]
        for waiting in queues:
            waiting.ready.append(_Stored(envelope, address.exchange))
        for listener in listeners:
            listener.hear(envelope)
        if not queues and not listeners and exchange.alternate is not None:
            self._route(Address(exchange.alternate, address.key), envelope)
        self.bell.ring()

    def _exchange(self, name: str) -> Exchange:
        if name not in self._exchanges:
            raise ValueError(f"There is no exchange {name!r} on the bus.")
        return self._exchanges[name]

    def _queue(self, name: str) -> _Waiting:
        if name not in self._queues:
            raise ValueError(f"There is no queue {name!r} on the bus.")
        return self._queues[name]


def _takes(bindings: Iterable[Binding], exchange: Exchange, key: str) -> bool:
    return any(binding.exchange == exchange.name and matches(exchange, binding.key, key) for binding in bindings)
