"""Relay the outbox to the bus: claim, publish with confirms, mark sent; any number of relays side by side.

At least once: a relay that dies between publishing and marking leaves rows that are published again. Their ids stay the
same, and whoever reads them dedupes.
"""

import asyncio

import structlog

from moviola.errors import Unavailable
from moviola.ports.message_bus import MessageBus
from moviola.ports.video_store import VideoStore
from moviola.video import utc_now
from moviola_orchestrator.bells import Bell, pause
from moviola_orchestrator.crash_points import CrashPoints
from moviola_orchestrator.webhooks import note_for_webhooks

log: structlog.stdlib.BoundLogger = structlog.get_logger()
BATCH = 100
NOWHERE = CrashPoints()
LOOK_AGAIN_SECONDS = 5.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


class Relay:
    """``bell`` is rung by whoever in this process commits to the outbox; the store tells of the others.

    Every event passes here once, so that here it is also noted for the webhooks; *webhooks* is rung for them.
    """

    def __init__(
        self,
        bus: MessageBus,
        store: VideoStore,
        bell: Bell,
        *,
        webhooks: Bell | None = None,
        crash: CrashPoints = NOWHERE,
    ) -> None:
        self._bus = bus
        self._store = store
        self._bell = bell
        self._webhooks = webhooks
        self._crash = crash

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until *stopping*; while the bus or the database is away, wait ever longer, and go on."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(stopping))
            wait = FIRST_WAIT
            while not stopping.is_set():
                try:
                    full = await self.relay() == BATCH
                except Unavailable as error:
                    log.warning("publishing waits", reason=str(error), seconds=wait)
                    await pause(stopping, wait)
                    wait = min(LONGEST_WAIT, wait * 2)
                    continue
                wait = FIRST_WAIT
                if not full:
                    await self._bell.heard(timeout=LOOK_AGAIN_SECONDS)
            listening.cancel()

    async def relay(self) -> int:
        """Publish one batch, the oldest first; how many there were. Either all of it is marked sent, or nothing."""
        if self._bus.connected_since() is None:
            # The claim holds locks (in SQLite: the only one), so that a bus that is away is found out before it.
            await self._bus.check()
        async with self._store.transaction() as transaction:
            postings = await transaction.outbox.claim(limit=BATCH)
            if postings:
                self._crash.reached("outbox.before_publish")
                await self._bus.publish(postings)
                self._crash.reached("outbox.after_publish")
                await transaction.outbox.sent([posting.envelope.id for posting in postings])
                told = await note_for_webhooks(transaction, postings, utc_now())
        if postings and told and self._webhooks is not None:
            self._webhooks.ring()
        return len(postings)

    async def _listen(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                if await self._store.outbox_written(timeout=LOOK_AGAIN_SECONDS):
                    self._bell.ring()
            except Unavailable:
                await pause(stopping, LOOK_AGAIN_SECONDS)
