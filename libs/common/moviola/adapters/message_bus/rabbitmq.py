"""The message bus on RabbitMQ 3.10 or newer, over aio-pika.

It creates the exchanges and quorum queues of ``moviola.topology`` whenever it connects, and a queue of its own for each
listener, which ends with it. It needs the permission to configure, write and read them.

Two connections, since a broker that runs out of memory or disk stops reading from those that publish: acknowledgements
still go through on the other. A channel for all publishing, one for each consumer, listener and taken message.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import unquote, urlsplit

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from moviola.adapters.message_bus.rabbitmq_connection import (
    LastingConnection,
    close_quietly,
    reaching_the_bus,
    running,
)
from moviola.adapters.message_bus.rabbitmq_consumers import Inbox, keep_consuming, keep_listening
from moviola.adapters.message_bus.rabbitmq_envelopes import RabbitMQDelivery
from moviola.adapters.message_bus.rabbitmq_publishing import Publisher
from moviola.adapters.message_bus.rabbitmq_taking import take_one
from moviola.adapters.message_bus.rabbitmq_topology import declare_queue, exchange_named, queue_named
from moviola.errors import BusUnavailable
from moviola.ports.message_bus import Delivery, Envelope, MessageBus, Posting
from moviola.topology import Queue

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5


@asynccontextmanager
async def open_rabbitmq(url: str, *, patience: float = 5.0) -> AsyncIterator[MessageBus]:
    """The bus at *url* (``amqp://`` or ``amqps://``); it connects in the background and stays connected.

    Where the broker is away, methods raise ``BusUnavailable`` after *patience* seconds, and after twice those where it
    hangs.
    """
    out = LastingConnection(url, "moviola publishes", patience)
    into = LastingConnection(url, "moviola consumes", patience)
    user = unquote(urlsplit(url).username or "guest")
    async with running(out.keep()), running(into.keep()):
        yield RabbitMQMessageBus(Publisher(out, user=user, patience=patience), out, into, patience)


class RabbitMQMessageBus:
    """*out* is the connection that publishes, *into* the one that consumes."""

    def __init__(self, publisher: Publisher, out: LastingConnection, into: LastingConnection, patience: float) -> None:
        self._publisher = publisher
        self._out = out
        self._into = into
        self._patience = patience

    async def publish(self, postings: Sequence[Posting]) -> None:
        """``ValueError`` for another user's id: the broker lets everybody speak only in its own name."""
        await self._publisher.publish(postings)

    @asynccontextmanager
    async def consume(self, queue: str, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        inbox: Inbox[RabbitMQDelivery] = Inbox()
        async with running(keep_consuming(self._into, queue_named(queue), prefetch, inbox)):
            try:
                yield inbox
            finally:
                inbox.close()

    async def take(self, queues: Sequence[str]) -> Delivery:
        wanted = [queue_named(name) for name in queues]
        while True:
            connection = await self._into.at_last()
            try:
                with reaching_the_bus():
                    return await take_one(connection, wanted)
            except BusUnavailable as error:
                log.info("taking a message was interrupted, trying again", reason=str(error))
                if isinstance(error.__cause__, ChannelNotFoundEntity):
                    await self._declare_again(wanted)
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def listen(self, exchange: str, keys: Sequence[str]) -> AsyncIterator[AsyncIterator[Envelope]]:
        """Entering waits until nothing published from now on is missed, or for the patience while the bus is away."""
        inbox: Inbox[Envelope] = Inbox()
        started = asyncio.Event()
        async with running(keep_listening(self._into, exchange_named(exchange), tuple(keys), inbox, started)):
            try:
                async with asyncio.timeout(self._patience):
                    await started.wait()
            except TimeoutError:
                log.warning("listening begins once the message bus is there", exchange=exchange)
            try:
                yield inbox
            finally:
                inbox.close()

    async def depth(self, queue: str) -> int:
        wanted = queue_named(queue)
        async with self._channel() as channel:
            return (await declare_queue(channel, wanted)).declaration_result.message_count or 0

    async def check(self) -> None:
        await self._out.now()
        async with self._channel():
            """That the broker opened it is the answer."""

    def connected_since(self) -> datetime | None:
        if self._out.since is None or self._into.since is None:
            return None
        return max(self._out.since, self._into.since)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        connection = await self._into.now()
        with reaching_the_bus():
            async with asyncio.timeout(self._patience):
                channel = await connection.channel(publisher_confirms=False)
                try:
                    yield channel
                finally:
                    await close_quietly(channel)

    async def _declare_again(self, queues: Sequence[Queue]) -> None:
        """A queue was deleted under us."""
        try:
            async with self._channel() as channel:
                for queue in queues:
                    await declare_queue(channel, queue)
        except BusUnavailable as error:
            log.warning("queues can't be declared again", reason=str(error))
