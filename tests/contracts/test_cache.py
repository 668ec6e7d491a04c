"""What ``Cache`` promises, kept by every adapter. No test asks which one it got."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from moviola.adapters.cache.in_process import open_in_process
from moviola.adapters.cache.redis import open_redis
from moviola.ports.cache import Cache

OpenCache = Callable[[], AbstractAsyncContextManager[Cache]]
LONG, SHORT, GONE = 60.0, 0.05, 0.3


@pytest.fixture(params=["in_process", pytest.param("redis", marks=pytest.mark.distributed)])
def open_cache(request: pytest.FixtureRequest) -> OpenCache:
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        return lambda: open_redis(url)
    return open_in_process


@pytest.fixture
async def cache(open_cache: OpenCache) -> AsyncIterator[Cache]:
    async with open_cache() as opened:
        yield opened


async def test_a_key_that_was_never_set_holds_nothing(cache: Cache) -> None:
    assert await cache.get("nobody") is None


@pytest.mark.parametrize("value", [b"", b"text", b"\x00\xff\r\n", b"x" * 1_000_000])
async def test_a_value_comes_back_as_the_bytes_it_was(cache: Cache, value: bytes) -> None:
    await cache.set("key", value, ttl=LONG)
    assert await cache.get("key") == value


async def test_a_new_value_replaces_the_old_one(cache: Cache) -> None:
    await cache.set("key", b"old", ttl=LONG)
    await cache.set("key", b"new", ttl=LONG)
    assert await cache.get("key") == b"new"


async def test_a_value_is_gone_after_its_time(cache: Cache) -> None:
    await cache.set("key", b"value", ttl=SHORT)
    await asyncio.sleep(GONE)  # the server's own clock can't be injected
    assert await cache.get("key") is None
    assert await cache.add("key", b"next", ttl=LONG)


async def test_a_replaced_value_has_the_new_time(cache: Cache) -> None:
    await cache.set("key", b"old", ttl=SHORT)
    await cache.set("key", b"new", ttl=LONG)
    await asyncio.sleep(GONE)  # the server's own clock can't be injected
    assert await cache.get("key") == b"new"


async def test_a_value_without_time_to_live_is_dropped(cache: Cache) -> None:
    await cache.set("key", b"old", ttl=LONG)
    await cache.set("key", b"new", ttl=0)
    assert await cache.get("key") is None


async def test_adding_sets_a_key_that_holds_nothing(cache: Cache) -> None:
    assert await cache.add("key", b"first", ttl=LONG)
    assert await cache.get("key") == b"first"


async def test_adding_leaves_a_key_that_holds_something(cache: Cache) -> None:
    await cache.set("key", b"first", ttl=LONG)
    assert not await cache.add("key", b"second", ttl=LONG)
    assert await cache.get("key") == b"first"


async def test_an_empty_value_is_something(cache: Cache) -> None:
    await cache.set("key", b"", ttl=LONG)
    assert not await cache.add("key", b"second", ttl=LONG)


async def test_of_many_who_add_at_once_one_wins(cache: Cache) -> None:
    won = await asyncio.gather(*(cache.add("key", str(number).encode(), ttl=LONG) for number in range(20)))
    assert sum(won) == 1
    assert await cache.get("key") == str(won.index(True)).encode()


async def test_a_deleted_key_holds_nothing(cache: Cache) -> None:
    await cache.set("key", b"value", ttl=LONG)
    await cache.delete("key")
    assert await cache.get("key") is None


async def test_deleting_nothing_is_not_an_error(cache: Cache) -> None:
    await cache.delete("nobody")


async def test_a_cache_that_answers_says_so(cache: Cache) -> None:
    assert await cache.check()
