"""Taking one message and no second one.

From one queue: a consumer with a prefetch of one, cancelled before the message is decided, so that the broker has
nobody to push the next one to. From several queues that would hold one message for each, so they are asked one after
the other (``basic.get``); between two rounds a doorbell waits, a queue of our own for at most one copy of what is
published for them. The bell may ring before a quorum queue has the message, and does not ring for one that came back:
so the pauses between rounds are short behind a ring, grow from there, and end at a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelClosed

from moviola.adapters.message_bus.rabbitmq_connection import close_quietly, heed_cancellation, running
from moviola.adapters.message_bus.rabbitmq_consumers import loss_of
from moviola.adapters.message_bus.rabbitmq_envelopes import RabbitMQDelivery
from moviola.adapters.message_bus.rabbitmq_watchdog import Consumption, watch
from moviola.topology import Queue

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 1.0


async def take_one(connection: AbstractConnection, queues: Sequence[Queue]) -> RabbitMQDelivery:
    """One message; its channel is closed with its decision, or now if we are cancelled: then it goes back."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        if len(queues) == 1:
            message = await _pushed(channel, queues[0])
        else:
            message = await _in_order(channel, queues)
        heed_cancellation()
    except BaseException:
        await close_quietly(channel)
        raise
    return RabbitMQDelivery(message, channel)


async def _pushed(channel: AbstractChannel, queue: Queue) -> AbstractIncomingMessage:
    arrived: list[AbstractIncomingMessage] = []
    woken = await loss_of(channel)

    async def receive(message: AbstractIncomingMessage) -> None:
        arrived.append(message)
        woken.set()

    await channel.set_qos(prefetch_count=1)
    source = await channel.get_queue(queue.name, ensure=False)
    tag = await source.consume(receive)
    async with running(watch(channel, Consumption(queue.name, given=lambda: len(arrived), hungry=lambda: True), woken)):
        await woken.wait()
    if not arrived:
        raise ChannelClosed(0, "the consumer is gone")
    await source.cancel(tag)
    return arrived[0]


async def _in_order(channel: AbstractChannel, queues: Sequence[Queue]) -> AbstractIncomingMessage:
    message = await _one_round(channel, queues)
    if message is not None:
        return message
    rung = asyncio.Event()
    silence = await _hang_doorbell(channel, queues, rung)
    pause = SHORTEST_PAUSE
    while True:
        rung.clear()
        message = await _one_round(channel, queues)
        if message is not None:
            await silence()
            return message
        try:
            async with asyncio.timeout(pause):
                await rung.wait()
            pause = SHORTEST_PAUSE
        except TimeoutError:
            pause = min(pause * 2, LONGEST_PAUSE)


async def _one_round(channel: AbstractChannel, queues: Sequence[Queue]) -> AbstractIncomingMessage | None:
    for queue in queues:
        source = await channel.get_queue(queue.name, ensure=False)
        message = await source.get(fail=False)
        heed_cancellation()
        if message is not None:
            return message
    return None


async def _hang_doorbell(
    channel: AbstractChannel, queues: Sequence[Queue], rung: asyncio.Event
) -> Callable[[], Awaitable[object]]:
    """Set *rung* whenever something is published for one of *queues*; what is returned takes the bell down."""

    async def ring(_: AbstractIncomingMessage) -> None:
        rung.set()

    bell = await channel.declare_queue(exclusive=True, auto_delete=True, arguments={"x-max-length": 1})
    for queue in queues:
        for binding in queue.bindings:
            await bell.bind(binding.exchange, binding.key)
    tag = await bell.consume(ring, no_ack=True)
    return lambda: bell.cancel(tag)
