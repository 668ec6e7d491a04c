"""Envelopes as AMQP messages and back, and what becomes of a delivery."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from moviola.adapters.message_bus.rabbitmq_connection import close_quietly, reaching_the_bus
from moviola.adapters.message_bus.routing import rfc3339
from moviola.errors import BusUnavailable
from moviola.ports.message_bus import Envelope
from moviola.topology import Address

log = structlog.get_logger(__name__)

DECIDE_SECONDS = 5.0
DEATH = "x-death"


def to_amqp(envelope: Envelope) -> Message:
    return Message(
        envelope.body,
        message_id=envelope.id,
        correlation_id=envelope.correlation_id,
        type=envelope.type,
        headers=dict(envelope.headers),
        user_id=envelope.user_id,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def from_amqp(message: AbstractIncomingMessage) -> Envelope:
    """Headers that are text or numbers, as text, and of a dead letter its last death. A message without an id gets one
    made from what it says: so its redeliveries have the same id, and a consumer that dedupes treats two equal messages
    as one.
    """
    headers = {
        key: value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for key, value in message.headers.items()
        if isinstance(value, str | bytes | int | float) and not key.startswith(DEATH)
    }
    headers |= _last_death(message.headers.get("x-death"))
    return Envelope(
        id=message.message_id or f"sha256:{hashlib.sha256(message.body).hexdigest()}",
        type=message.type or "",
        body=message.body,
        correlation_id=message.correlation_id,
        headers=headers,
        user_id=message.user_id,
    )


def _last_death(deaths: object) -> dict[str, str]:
    """Of the broker's list the newest entry: it stands first, whatever a producer has made up behind it."""
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(last, dict):
        return {}
    told = {name: last.get(name) for name in ("queue", "reason", "exchange", "count", "time")}
    return {
        f"{DEATH}-{name}": rfc3339(value) if isinstance(value, datetime) else str(value)
        for name, value in told.items()
        if isinstance(value, str | int | datetime)
    }


class RabbitMQDelivery:
    """*channel* is given where it was opened for this delivery alone: then it is closed with the decision."""

    def __init__(self, message: AbstractIncomingMessage, channel: AbstractChannel | None = None) -> None:
        self._message = message
        self._channel = channel
        self._decided = False
        self._envelope = from_amqp(message)

    @property
    def envelope(self) -> Envelope:
        return self._envelope

    @property
    def redelivered(self) -> bool:
        # A quorum queue counts, too; it says so in a number, and a producer that makes one up changes little.
        returned = self._message.headers.get("x-delivery-count")
        return bool(self._message.redelivered) or (isinstance(returned, int) and returned > 0)

    @property
    def address(self) -> Address:
        return Address(self._message.exchange or "", self._message.routing_key or "")

    @property
    def decided(self) -> bool:
        return self._decided

    async def ack(self) -> None:
        await self._decide(self._message.ack)

    async def reject(self) -> None:
        await self._decide(lambda: self._message.reject(requeue=False))

    async def release(self) -> None:
        await self._decide(lambda: self._message.nack(requeue=True))

    async def _decide(self, tell: Callable[[], Awaitable[None]]) -> None:
        if self._decided:
            return
        self._decided = True
        try:
            with reaching_the_bus():
                async with asyncio.timeout(DECIDE_SECONDS):
                    await tell()
        except BusUnavailable as error:
            log.info("a decision came too late, the message is delivered again", reason=str(error))
        if self._channel is not None:
            await close_quietly(self._channel)
