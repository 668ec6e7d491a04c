"""Waking the relays when something was committed to the outbox. Only a hint: they look by themselves as well."""

import asyncio
from typing import Protocol


class Doorbell(Protocol):
    def ring(self) -> None:
        """Something was committed. Never raises, never waits."""

    async def wait(self, *, timeout: float) -> bool:
        """True as soon as it has rung since the last wait returned; False after *timeout* seconds."""


class InProcessDoorbell:
    """An event; all that SQLite needs, since there one process has the database. A ring is kept for the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, *, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
