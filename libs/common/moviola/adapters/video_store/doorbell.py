"""Waking the relays when something was committed to the outbox. Only a hint: they look by themselves as well.

SQLite means one process, so an event in it is enough. On PostgreSQL the event is joined by LISTEN and NOTIFY.
"""

import asyncio


class Doorbell:
    """Rung after a commit. A ring that nobody waits for is kept for whoever waits next."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, *, timeout: float) -> bool:
        """True as soon as it has rung since the last wait returned; False after *timeout* seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
