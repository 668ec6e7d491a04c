"""The cache inside one process: a bounded dictionary in which values grow old."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from moviola.ports.cache import Cache


@asynccontextmanager
async def open_in_process(
    *, clock: Callable[[], float] = time.monotonic, max_entries: int = 10_000
) -> AsyncIterator[Cache]:
    """An empty cache that ends with the context. At *max_entries* the value that was set longest ago is evicted.

    *clock* gives seconds that never go backwards.
    """
    yield InProcessCache(clock, max_entries)


class InProcessCache:
    def __init__(self, clock: Callable[[], float], max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        expires, value = self._entries.get(key, (0.0, None))
        if value is not None and expires <= self._clock():
            del self._entries[key]
            return None
        return value

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        # Taken out first, so that a dictionary's order is the order of setting.
        self._entries.pop(key, None)
        if ttl <= 0:
            return
        if len(self._entries) >= self._max_entries:
            self._make_room()
        self._entries[key] = (self._clock() + ttl, value)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        if await self.get(key) is not None:
            return False
        await self.set(key, value, ttl=ttl)
        return True

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    async def check(self) -> bool:
        return True

    def _make_room(self) -> None:
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
        while len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
