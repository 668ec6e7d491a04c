"""What only a real Redis can do to us: hang, die, come back."""

import asyncio
import time
from collections.abc import Awaitable

import pytest
from structlog.testing import capture_logs

from moviola.adapters.cache.redis import open_redis
from moviola.ports.cache import Cache
from tests.servers import Server

pytestmark = pytest.mark.distributed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def seconds(awaited: Awaitable[object]) -> float:
    began = time.monotonic()
    await awaited
    return time.monotonic() - began


async def everything(cache: Cache) -> list[object]:
    return [
        await cache.get("key"),
        await cache.set("key", b"value", ttl=60),
        await cache.add("key", b"value", ttl=60),
        await cache.delete("key"),
    ]


async def test_a_hung_redis_looks_empty_within_200_milliseconds(redis_url: str, redis_server: Server) -> None:
    async with open_redis(redis_url) as cache:
        await cache.set("key", b"value", ttl=60)
        redis_server.pause()
        assert await seconds(cache.get("key")) < 0.3
        assert await everything(cache) == [None, None, False, None]
        assert await seconds(cache.check()) < 0.3
        assert not await cache.check()


async def test_a_hung_redis_is_not_waited_for_by_every_call(redis_url: str, redis_server: Server) -> None:
    clock = Clock()
    async with open_redis(redis_url, clock=clock) as cache:
        redis_server.pause()
        await cache.get("key")
        assert await seconds(asyncio.gather(*(cache.get("key") for _ in range(200)))) < 0.1
        clock.now += 1.1
        # One tries again, the others are not held up by it.
        trying = asyncio.create_task(seconds(cache.get("key")))
        await asyncio.sleep(0)
        assert await seconds(cache.get("key")) < 0.1
        assert await trying > 0.15


async def test_a_redis_that_goes_on_is_used_again(redis_url: str, redis_server: Server) -> None:
    clock = Clock()
    async with open_redis(redis_url, clock=clock) as cache:
        redis_server.pause()
        await cache.get("key")
        redis_server.resume()
        clock.now += 1.1
        assert await cache.check()
        assert await cache.add("key", b"value", ttl=60)
        assert await cache.get("key") == b"value"


async def test_going_away_and_coming_back_are_logged_once_each(redis_url: str, redis_server: Server) -> None:
    clock = Clock()
    async with open_redis(redis_url, clock=clock) as cache:
        await cache.get("key")
        with capture_logs() as logged:
            await asyncio.to_thread(redis_server.kill)
            for _ in range(5):
                await everything(cache)
                clock.now += 1.1
            await asyncio.to_thread(redis_server.start)
            for _ in range(5):
                await everything(cache)
        assert [line["event"] for line in logged] == [
            "the cache is out of reach, going on without it",
            "the cache is back",
        ]


async def test_opening_waits_for_no_redis(redis_url: str, redis_server: Server) -> None:
    await asyncio.to_thread(redis_server.stop)
    async with open_redis(redis_url) as cache:
        assert await cache.get("key") is None
        assert not await cache.check()
        await asyncio.to_thread(redis_server.start)
        assert await cache.check()


async def test_an_answer_that_is_an_error_counts_as_no_answer(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.rpush("key", "a list, which has no value to get")
    async with open_redis(redis_url) as cache:
        assert await cache.get("key") is None
