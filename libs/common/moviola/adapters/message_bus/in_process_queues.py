"""Queues in memory, and those who wait at them. Everything happens between two awaits, so nothing needs a lock."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from moviola.adapters.message_bus.routing import matches
from moviola.ports.message_bus import Delivery, Envelope
from moviola.topology import DELIVERY_LIMIT, Address, Exchange, Queue

# A listener that reads nothing must not fill the memory; the oldest copies go first.
LISTENER_KEEPS = 100_000

Death = Literal["rejected", "delivery_limit"]


class Bell:
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
class Stored:
    """A message in a queue; ``address`` is where it was published, ``returns`` how often it came back."""

    envelope: Envelope
    address: Address
    returns: int = 0


class WaitingQueue:
    """What waits in one queue; *bell* rings at every change, *bury* is told what died."""

    def __init__(self, queue: Queue, bell: Bell, bury: Callable[[Queue, Stored, Death], None]) -> None:
        self.queue = queue
        self.bell = bell
        self._bury = bury
        self._ready: deque[Stored] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    def put(self, stored: Stored) -> None:
        self._ready.append(stored)
        self.bell.ring()

    def hand_out(self) -> "InProcessDelivery":
        """The oldest message; there must be one."""
        return InProcessDelivery(self, self._ready.popleft())

    def put_back(self, stored: Stored) -> None:
        """To the front, as in a quorum queue, which hands out N+1 times under a limit of N; and so do we.

        A queue without dead letters has no limit: over it, a message that can't go on would be dropped.
        """
        if self.queue.dead_letter is not None and stored.returns >= DELIVERY_LIMIT:
            self._bury(self.queue, stored, "delivery_limit")
        else:
            self._ready.appendleft(replace(stored, returns=stored.returns + 1))
        self.bell.ring()

    def reject(self, stored: Stored) -> None:
        self._bury(self.queue, stored, "rejected")


class InProcessDelivery:
    def __init__(self, queue: WaitingQueue, stored: Stored) -> None:
        self._queue = queue
        self._stored = stored
        self.decided = False

    @property
    def envelope(self) -> Envelope:
        return self._stored.envelope

    @property
    def redelivered(self) -> bool:
        return self._stored.returns > 0

    @property
    def address(self) -> Address:
        return self._stored.address

    async def ack(self) -> None:
        self._decide()

    async def reject(self) -> None:
        if self._decide():
            self._queue.reject(self._stored)

    async def release(self) -> None:
        self.give_back()

    def give_back(self) -> None:
        if self._decide():
            self._queue.put_back(self._stored)

    def _decide(self) -> bool:
        first = not self.decided
        self.decided = True
        self._queue.bell.ring()
        return first


class Consumer:
    """The deliveries of one ``consume`` context."""

    def __init__(self, queue: WaitingQueue, prefetch: int) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._undecided: list[InProcessDelivery] = []
        self._closed = False

    def __aiter__(self) -> "Consumer":
        return self

    async def __anext__(self) -> Delivery:
        while not self._closed:
            self._undecided = [delivery for delivery in self._undecided if not delivery.decided]
            if len(self._queue) and len(self._undecided) < self._prefetch:
                delivery = self._queue.hand_out()
                self._undecided.append(delivery)
                return delivery
            await self._queue.bell.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        self._closed = True
        # From the youngest to the oldest, each to the front: the queue has its old order again.
        for delivery in reversed(self._undecided):
            delivery.give_back()
        self._queue.bell.ring()


class Listener:
    """The copies of one ``listen`` context."""

    def __init__(self, exchange: Exchange, keys: Sequence[str]) -> None:
        self._exchange = exchange
        self._keys = tuple(keys)
        self._copies: deque[Envelope] = deque(maxlen=LISTENER_KEEPS)
        self._bell = Bell()
        self._closed = False

    def wants(self, address: Address) -> bool:
        return address.exchange == self._exchange.name and any(
            matches(self._exchange, pattern, address.key) for pattern in self._keys
        )

    def hear(self, envelope: Envelope) -> None:
        self._copies.append(envelope)
        self._bell.ring()

    def __aiter__(self) -> "Listener":
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
