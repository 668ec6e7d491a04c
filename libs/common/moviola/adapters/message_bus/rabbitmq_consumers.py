"""Consumers that come back: after a lost connection, a broker's restart, a deleted queue.

The driver's callback only puts the message into an inbox, since the driver cancels callbacks when their channel closes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from moviola.adapters.message_bus.rabbitmq_connection import (
    LastingConnection,
    close_quietly,
    reaching_the_bus,
    running,
)
from moviola.adapters.message_bus.rabbitmq_envelopes import RabbitMQDelivery, from_amqp
from moviola.adapters.message_bus.rabbitmq_topology import declare_exchange, declare_queue
from moviola.adapters.message_bus.rabbitmq_watchdog import Consumption, watch
from moviola.errors import BusUnavailable
from moviola.ports.message_bus import Envelope
from moviola.topology import Exchange, Queue

log = structlog.get_logger(__name__)
T = TypeVar("T")

RETRY_SECONDS = 0.5
# A listener that reads nothing must not fill the broker's memory; the oldest copies go first.
LISTENER_KEEPS = 100_000


class Inbox(Generic[T]):
    """What came and was not read yet; it ends when it is closed."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[T | None] = asyncio.Queue()
        self._closed = False

    def put(self, item: T) -> None:
        self._items.put_nowait(item)

    def empty(self) -> None:
        """Forget what was not read: the broker delivers it again."""
        with suppress(asyncio.QueueEmpty):
            while True:
                self._items.get_nowait()

    def close(self) -> None:
        self._closed = True
        self.empty()
        self._items.put_nowait(None)

    def __aiter__(self) -> "Inbox[T]":
        return self

    async def __anext__(self) -> T:
        item = await self._items.get()
        if item is None:
            self._items.put_nowait(None)  # for the next reader
            raise StopAsyncIteration
        return item


async def keep_subscribed(
    link: LastingConnection, start: Callable[[AbstractChannel], Awaitable[Consumption]], lost: Callable[[], None]
) -> None:
    """Open a channel, *start* a consumer on it, wait until either is gone, say *lost*, begin again; for ever.

    That one is gone is heard from the broker, or found out by the watchdog.
    """
    while True:
        connection = await link.at_last()
        try:
            with reaching_the_bus():
                await _live_through_one(await connection.channel(publisher_confirms=False), start)
        except BusUnavailable as error:
            log.warning("a consumer can't be started, trying again", reason=str(error))
        except Exception:  # A surprise from the driver must not leave the service deaf.
            log.exception("a consumer failed unexpectedly, trying again")
        finally:
            lost()
        await asyncio.sleep(RETRY_SECONDS)


async def _live_through_one(
    channel: AbstractChannel, start: Callable[[AbstractChannel], Awaitable[Consumption]]
) -> None:
    try:
        gone = await loss_of(channel)
        consumption = await start(channel)
        async with running(watch(channel, consumption, gone)):
            await gone.wait()
    finally:
        await close_quietly(channel)


async def loss_of(channel: AbstractChannel) -> asyncio.Event:
    """Set when the channel closes, or when the broker cancels a consumer on it, as it does for a deleted queue."""
    gone = asyncio.Event()
    channel.close_callbacks.add(lambda *_: gone.set())
    underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
    return gone


async def keep_consuming(link: LastingConnection, queue: Queue, prefetch: int, inbox: Inbox[RabbitMQDelivery]) -> None:
    given = 0
    held: list[RabbitMQDelivery] = []

    async def receive(message: AbstractIncomingMessage) -> None:
        nonlocal given
        given += 1
        held[:] = [*(one for one in held if not one.decided), RabbitMQDelivery(message)]
        inbox.put(held[-1])

    def hungry() -> bool:
        return sum(not one.decided for one in held) < prefetch

    async def start(channel: AbstractChannel) -> Consumption:
        held.clear()
        await channel.set_qos(prefetch_count=prefetch)
        await (await declare_queue(channel, queue)).consume(receive)
        return Consumption(queue.name, given=lambda: given, hungry=hungry)

    await keep_subscribed(link, start, lost=inbox.empty)


async def keep_listening(
    link: LastingConnection, exchange: Exchange, keys: tuple[str, ...], inbox: Inbox[Envelope], started: asyncio.Event
) -> None:
    async def receive(message: AbstractIncomingMessage) -> None:
        inbox.put(from_amqp(message))

    async def start(channel: AbstractChannel) -> Consumption:
        await declare_exchange(channel, exchange)
        queue = await channel.declare_queue(
            exclusive=True, auto_delete=True, arguments={"x-max-length": LISTENER_KEEPS}
        )
        for key in keys:
            await queue.bind(exchange.name, key)
        await queue.consume(receive, no_ack=True)
        started.set()
        return Consumption(queue.name)

    await keep_subscribed(link, start, lost=lambda: None)
