"""When leases may expire: not while their heartbeats can't reach us, nor for one full lease after they can again."""

from datetime import datetime, timedelta

from moviola.ports.message_bus import MessageBus
from moviola.ports.video_store import VideoStore


class Grace:
    """Asked at every sweep. *since* is when this process began to listen; None where no other process has workers.

    A sweep that comes much too late says that we were away ourselves (stopped, or the machine asleep), and counts as an
    outage: heartbeats may wait in a queue that we have not read.
    """

    def __init__(
        self, bus: MessageBus, store: VideoStore, *, lease: timedelta, sweep: timedelta, since: datetime | None
    ) -> None:
        self._bus = bus
        self._store = store
        self._lease = lease
        self._away = max(lease, 3 * sweep)
        self._since = since
        self._asked: datetime | None = None

    def over(self, now: datetime) -> bool:
        """Whether everything has been there for one full lease."""
        if self._asked is not None and now - self._asked > self._away:
            self._since = now
        self._asked = now
        connected = [self._bus.connected_since(), self._store.connected_since()]
        if None in connected:
            self._since = now
            return False
        return self._since is None or all(
            now - time >= self._lease for time in (*connected, self._since) if time is not None
        )
