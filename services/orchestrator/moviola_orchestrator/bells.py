"""Bells that wake a loop before its time: what one part commits, another has to do at once.

A bell is a hint. Who waits on one looks again after a while all the same, so that a bell that nobody rang (the work
came from another process) costs time and nothing else.
"""

import asyncio
from dataclasses import dataclass, field


class Bell:
    """Rung any number of times, heard once; ringing before anybody waits is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    def ring_in(self, seconds: float) -> None:
        """Ring later; at once for a time that has passed."""
        asyncio.get_running_loop().call_later(max(0.0, seconds), self.ring)

    async def heard(self, *, timeout: float) -> bool:
        """Wait until it is rung, or *timeout* seconds; whether it was."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


@dataclass(frozen=True, slots=True)
class Bells:
    """``dispatch``: a task may be dispatched. ``outbox``: something is to be published. ``sweep``: look over all.
    ``webhooks``: an endpoint is to be told.
    """

    dispatch: Bell = field(default_factory=Bell)
    outbox: Bell = field(default_factory=Bell)
    sweep: Bell = field(default_factory=Bell)
    webhooks: Bell = field(default_factory=Bell)

    def ring_all(self) -> None:
        for bell in (self.dispatch, self.outbox, self.sweep, self.webhooks):
            bell.ring()


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait *seconds*, or less where the process is to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
