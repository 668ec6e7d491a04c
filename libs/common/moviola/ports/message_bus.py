"""A bus of messages: durable queues behind exchanges, confirmed publishing, explicit acknowledgement.

At least once: a message may be delivered twice, late or out of order. It is a doorbell; the database is the truth.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from moviola.messages import Message, parse_message
from moviola.topology import Address, address_of
from moviola.video import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message as it travels.

    ``id`` is the AMQP ``message_id``, ``correlation_id`` the video's id. ``user_id`` is set only where the broker has
    validated it. ``redelivered`` says that it may have been handled before.
    """

    id: str
    type: str
    body: bytes
    correlation_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    user_id: str | None = None

    def message(self) -> Message:
        """The message inside; ``MalformedMessage`` where it can't be read."""
        return parse_message(self.type, self.body)


@dataclass(frozen=True, slots=True)
class Posting:
    """An envelope and where it goes."""

    address: Address
    envelope: Envelope


def post(message: Message, *, id: str | None = None, correlation_id: str | None = None) -> Posting:
    """*message* in an envelope with its address; the correlation id is the message's video unless given."""
    about = correlation_id or getattr(message, "video_id", None)
    body = message.model_dump_json().encode()
    return Posting(address_of(message), Envelope(id=id or new_id(), type=message.type, body=body, correlation_id=about))


class Delivery(Protocol):
    """One message handed to us, and ours until we say what becomes of it.

    Saying it twice, or after the connection was lost, is not an error and changes nothing: the broker has then given
    the message to somebody already.
    """

    @property
    def envelope(self) -> Envelope: ...

    @property
    def redelivered(self) -> bool: ...

    @property
    def address(self) -> Address:
        """Where it was published. What went on to another exchange keeps its key, and an unrouted one its exchange.

        A dead letter says in its headers how it died last, whatever its publisher wrote there: ``x-death-queue``,
        ``x-death-reason``, ``x-death-exchange`` (where it had been published), ``x-death-count``, ``x-death-time``.
        """

    async def ack(self) -> None:
        """It is done with; the bus forgets it."""

    async def reject(self) -> None:
        """It can't be handled; it goes to the dead letters of its queue, or away where the queue has none."""

    async def release(self) -> None:
        """Somebody else should handle it; it goes back, and to the dead letters after too many deliveries."""


class MessageBus(Protocol):
    """The bus. All methods raise ``BusUnavailable`` where it can't be reached, except as said."""

    async def publish(self, postings: Sequence[Posting]) -> None:
        """Publish, and return when the bus has taken responsibility for every one.

        ``BusUnavailable`` means that any of them may or may not arrive. A task command of a kind that no queue takes
        goes to ``moviola.unrouted``; an event that nobody has bound is dropped.
        """

    def consume(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Deliveries of *queue*, at most *prefetch* of them undecided, for as long as the context is open.

        The iterator never ends by itself and never raises ``BusUnavailable``: a lost connection is mended behind it,
        and what was undecided is delivered again. On leaving, undecided deliveries go back to the queue.
        """

    async def take(self, queues: Sequence[str]) -> Delivery:
        """Wait for one message from the first of *queues* that has one, and hold no other meanwhile or afterwards.

        Cancelling it loses nothing. A lost connection is mended behind it.
        """

    def listen(self, exchange: str, keys: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Envelope]]:
        """A copy of everything published on *exchange* that matches one of *keys* (topic patterns), while it is open.

        Every listener gets its own copy. Nothing is kept for one that is away, and a lost connection may lose some.
        """

    async def depth(self, queue: str) -> int:
        """How many messages wait in *queue*, those handed out and undecided not counted."""

    async def check(self) -> None:
        """Return if the bus answers; else ``BusUnavailable`` that says what is wrong."""

    def connected_since(self) -> datetime | None:
        """When the present connection was made; None while there is none. Never raises."""
