"""A worker's rest: the orchestrator has it take nothing for a while, since it failed one task after the other."""

import asyncio
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Rest:
    """``called`` is set while it lasts, ``over`` is for those who wait for its end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._changed = asyncio.Event()
        self.called = asyncio.Event()

    def take(self, seconds: float) -> None:
        """Rest for so many seconds from now on, whatever was said before; 0: no more."""
        if seconds > 0 and not self.called.is_set():
            log.warning("the orchestrator has this worker take no tasks for a while", seconds=seconds)
        if seconds <= 0 and self.called.is_set():
            log.info("the orchestrator has this worker go on")
        self._until = self._clock() + seconds
        if seconds > 0:
            self.called.set()
        self._changed.set()

    async def over(self) -> None:
        """Return when there is nothing, or nothing more, to rest for."""
        while (left := self._until - self._clock()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue
        self.called.clear()
