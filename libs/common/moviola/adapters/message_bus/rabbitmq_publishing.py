"""Publishing with confirms: a batch goes out at once, and is done when the broker has confirmed every message of it."""

import asyncio
from collections.abc import Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection

from moviola.adapters.message_bus.rabbitmq_connection import LastingConnection, reaching_the_bus
from moviola.adapters.message_bus.rabbitmq_envelopes import to_amqp
from moviola.adapters.message_bus.rabbitmq_topology import declare_topology, exchange_named
from moviola.ports.message_bus import Posting


class Publisher:
    """One channel for all; where it was closed, as for an exchange that somebody deleted, all is declared again."""

    def __init__(self, link: LastingConnection, *, user: str, patience: float) -> None:
        self._link = link
        self._user = user
        self._patience = patience
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def publish(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            self._refuse_what_the_broker_would(posting)
        connection = await self._link.now()
        with reaching_the_bus():
            async with asyncio.timeout(self._patience):
                channel = await self._open(connection)
                # Not a TaskGroup: it would take a task that the driver cancelled for one that succeeded.
                outcomes = await asyncio.gather(
                    *(_publish_one(channel, posting) for posting in postings), return_exceptions=True
                )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

    def _refuse_what_the_broker_would(self, posting: Posting) -> None:
        """It would close the channel, and so fail what others publish at the same time."""
        exchange_named(posting.address.exchange)
        if posting.envelope.user_id not in (None, self._user):
            raise ValueError(f"{self._user} can't publish in the name of {posting.envelope.user_id}.")

    async def _open(self, connection: AbstractConnection) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed or self._connection is not connection:
                if self._connection is connection:
                    await declare_topology(connection)
                self._channel = await connection.channel(publisher_confirms=True)
                self._connection = connection
            return self._channel


async def _publish_one(channel: AbstractChannel, posting: Posting) -> None:
    exchange = await channel.get_exchange(posting.address.exchange, ensure=False)
    # Not mandatory: what nobody takes is dropped, or goes to the exchange's alternate, and neither is an error.
    await exchange.publish(to_amqp(posting.envelope), posting.address.key, mandatory=False)
