from moviola.adapters.cache.in_process import open_in_process


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_value_lives_exactly_as_long_as_it_was_given() -> None:
    clock = Clock()
    async with open_in_process(clock=clock) as cache:
        await cache.set("key", b"value", ttl=10)
        clock.now += 9.99
        assert await cache.get("key") == b"value"
        clock.now += 0.01
        assert await cache.get("key") is None


async def test_the_oldest_value_is_evicted_when_there_are_too_many() -> None:
    async with open_in_process(max_entries=2) as cache:
        await cache.set("a", b"1", ttl=60)
        await cache.set("b", b"2", ttl=60)
        await cache.set("a", b"3", ttl=60)  # now b is the oldest
        await cache.set("c", b"4", ttl=60)
        assert [await cache.get(key) for key in "abc"] == [b"3", None, b"4"]


async def test_an_expired_value_goes_before_a_living_one() -> None:
    clock = Clock()
    async with open_in_process(clock=clock, max_entries=2) as cache:
        await cache.set("living", b"1", ttl=60)
        await cache.set("expired", b"2", ttl=1)
        clock.now += 2
        await cache.set("new", b"3", ttl=60)
        assert [await cache.get(key) for key in ("living", "expired", "new")] == [b"1", None, b"3"]
