"""What happens to videos, as this replica hears it: one listener on the bus, any number of subscribers.

A hint, not the truth: the bus may lose an event, so whoever must not miss one looks into the database as well.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from moviola.errors import BusUnavailable, MalformedMessage
from moviola.messages import Event, TaskProgress, TaskSucceeded, VideoEvent
from moviola.ports.message_bus import Envelope, MessageBus
from moviola.topology import EVENTS
from moviola.video import Tenant, VideoId

log = structlog.get_logger(__name__)

KEYS = ("video.*", TaskProgress.type, TaskSucceeded.type)
RETRY_SECONDS = 1.0
# About two minutes of one video's progress; who is further behind starts anew.
MAX_BEHIND = 256

NewsEvent = VideoEvent | TaskProgress | TaskSucceeded


class StreamEnded(Exception):
    """There will be no more events: the service stops, or the subscriber was too slow."""


class Subscription:
    """The events of a tenant, or of one video, since it was made."""

    def __init__(self, tenant: Tenant, video_id: VideoId | None, on_drop: Callable[[], None]) -> None:
        self._tenant = tenant
        self._video_id = video_id
        self._on_drop = on_drop
        self._queue: asyncio.Queue[NewsEvent | None] = asyncio.Queue()

    async def next(self, *, timeout: float) -> NewsEvent:
        """The next event; ``TimeoutError`` after *timeout* seconds without one; ``StreamEnded``."""
        async with asyncio.timeout(timeout):
            event = await self._queue.get()
        if event is None:
            self._queue.put_nowait(None)
            raise StreamEnded
        return event

    def offer(self, event: NewsEvent) -> None:
        """Keep *event* if it is wanted; a subscriber that is too far behind is dropped."""
        if event.tenant != self._tenant or self._video_id not in (None, event.video_id):
            return
        if self._queue.qsize() >= MAX_BEHIND:
            log.warning("slow event stream was dropped", behind=self._queue.qsize())
            self.end()
            self._on_drop()
        else:
            self._queue.put_nowait(event)

    def end(self) -> None:
        """No event follows those that are waiting."""
        self._queue.put_nowait(None)


class Feed:
    """Fans out what the bus tells. ``hear`` is called first, for every event of every tenant."""

    def __init__(self, bus: MessageBus, hear: Callable[[NewsEvent], None]) -> None:
        self._bus = bus
        self._hear = hear
        self._subscriptions: set[Subscription] = set()
        self._closed = False
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled; a bus that is away is asked again."""
        while True:
            try:
                async with self._bus.listen(EVENTS, KEYS) as envelopes:
                    self.listening.set()
                    async for envelope in envelopes:
                        self._tell(envelope)
            except BusUnavailable as error:
                log.warning("no events from the bus now", reason=str(error))
            self.listening.clear()
            await asyncio.sleep(RETRY_SECONDS)

    def _tell(self, envelope: Envelope) -> None:
        try:
            event: Event = _event(envelope)
        except MalformedMessage as error:
            log.warning("event could not be read", message_id=envelope.id, reason=str(error))
            return
        if not isinstance(event, VideoEvent | TaskProgress | TaskSucceeded):
            return
        self._hear(event)
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    @contextmanager
    def subscribe(
        self, tenant: Tenant, video_id: VideoId | None = None, *, on_drop: Callable[[], None]
    ) -> Iterator[Subscription]:
        """Events from now on, at most 256 waiting; *on_drop* is called when that is too few."""
        subscription = Subscription(tenant, video_id, on_drop)
        if self._closed:
            subscription.end()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription, those to come too."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()


def _event(envelope: Envelope) -> Event:
    message = envelope.message()
    if not isinstance(message, Event):
        raise MalformedMessage(f"A {envelope.type} is not an event.")
    return message
