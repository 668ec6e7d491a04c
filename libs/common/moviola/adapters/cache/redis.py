"""The cache on Redis, which nobody has to wait for.

Each call has 200 ms. After one that failed, calls are answered at once as if the cache were empty, and once a second
one of them tries Redis again: a Redis that hangs costs a service 200 ms a second, not 200 ms a call.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from moviola.ports.cache import Cache

log = structlog.get_logger(__name__)
T = TypeVar("T")

PATIENCE_SECONDS = 0.2
PAUSE_SECONDS = 1.0


@asynccontextmanager
async def open_redis(url: str, *, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[Cache]:
    """The cache at *url*; it connects with the first call. *clock* gives seconds that never go backwards."""
    client = Redis.from_url(
        url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield RedisCache(client, clock)
    finally:
        await _close(client)


async def _close(client: Redis) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await client.aclose()
    except (RedisError, OSError) as error:
        log.debug("closing the cache went unanswered", reason=repr(error))


class RedisCache:
    def __init__(self, client: Redis, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._away = False
        self._try_again_at = 0.0

    async def get(self, key: str) -> bytes | None:
        value = await self._ask(lambda: self._client.get(key), None)
        return value.encode() if isinstance(value, str) else value

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        if ttl <= 0:
            await self.delete(key)
        else:
            await self._ask(lambda: self._client.set(key, value, px=_milliseconds(ttl)), None)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        return bool(await self._ask(lambda: self._client.set(key, value, px=_milliseconds(ttl), nx=True), None))

    async def delete(self, key: str) -> None:
        await self._ask(lambda: self._client.delete(key), 0)

    async def check(self) -> bool:
        """Asks Redis even while the other calls spare it."""
        return await self._try(lambda: _ping(self._client), False)

    async def _ask(self, call: Callable[[], Awaitable[T]], otherwise: T) -> T:
        if self._away:
            if self._clock() < self._try_again_at:
                return otherwise
            # Moved on before we try, so that of many calls at this moment only one waits.
            self._try_again_at = self._clock() + PAUSE_SECONDS
        return await self._try(call, otherwise)

    async def _try(self, call: Callable[[], Awaitable[T]], otherwise: T) -> T:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await call()
        except (RedisError, OSError) as error:  # a timeout is an OSError
            self._went_away(error)
            return otherwise
        self._came_back()
        return answer

    def _went_away(self, error: Exception) -> None:
        self._try_again_at = self._clock() + PAUSE_SECONDS
        if not self._away:
            log.warning("the cache is out of reach, going on without it", reason=repr(error))
        self._away = True

    def _came_back(self) -> None:
        if self._away:
            log.info("the cache is back")
        self._away = False


async def _ping(client: Redis) -> bool:
    return bool(await client.ping())


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
