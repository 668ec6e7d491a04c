"""``moviola.topology`` as RabbitMQ declares it: durable exchanges, quorum queues, dead letters moved at least once."""

from collections.abc import Mapping

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from pamqp.common import FieldTable

from moviola.topology import DELIVERY_LIMIT, EXCHANGES, QUEUES, Exchange, Queue

_EXCHANGES: Mapping[str, Exchange] = {exchange.name: exchange for exchange in EXCHANGES}
_QUEUES: Mapping[str, Queue] = {queue.name: queue for queue in QUEUES}


def exchange_named(name: str) -> Exchange:
    """``ValueError`` for one that the topology does not have."""
    if name not in _EXCHANGES:
        raise ValueError(f"There is no exchange {name!r} on the bus.")
    return _EXCHANGES[name]


def queue_named(name: str) -> Queue:
    """``ValueError`` for one that the topology does not have."""
    if name not in _QUEUES:
        raise ValueError(f"There is no queue {name!r} on the bus.")
    return _QUEUES[name]


def queue_arguments(queue: Queue) -> FieldTable:
    """What the queue is declared with. Changed arguments need a new name: the broker refuses them for the old one."""
    if queue.dead_letter is None:
        # No delivery limit either: over it, a message that has nowhere to go on to would be dropped.
        return {"x-queue-type": "quorum"}
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": queue.dead_letter,
        # A dead letter is confirmed by its new queue before the old one forgets it; this asks for reject-publish.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def declare_topology(connection: AbstractConnection) -> None:
    """Declare all; what is there already stays as it is."""
    async with connection.channel(publisher_confirms=False) as channel:
        for exchange in EXCHANGES:
            await declare_exchange(channel, exchange)
        for queue in QUEUES:
            await declare_queue(channel, queue)


async def declare_exchange(channel: AbstractChannel, exchange: Exchange) -> AbstractExchange:
    arguments: FieldTable | None = {"alternate-exchange": exchange.alternate} if exchange.alternate else None
    return await channel.declare_exchange(exchange.name, exchange.kind, durable=True, arguments=arguments)


async def declare_queue(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    declared = await channel.declare_queue(queue.name, durable=True, arguments=queue_arguments(queue))
    for binding in queue.bindings:
        await declared.bind(binding.exchange, binding.key)
    return declared
