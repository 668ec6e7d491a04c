"""What only PostgreSQL can be put through: several processes, and a server that goes away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from moviola.adapters.video_store.store import open_video_store
from moviola.errors import StoreUnavailable
from moviola.ports.video_store import VideoStore
from tests.contracts.video_store.records import a_posting
from tests.servers import Server


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[VideoStore]:
    async with open_video_store(postgresql_url) as opened:
        await opened.migrate()
        yield opened


async def commit(store: VideoStore) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add([a_posting()])


async def listening(store: VideoStore) -> None:
    """Return when it listens: then it has rung once, for whatever it missed before."""
    assert await store.outbox_written(timeout=20)


async def test_a_relay_is_woken_by_another_process(store: VideoStore, postgresql_url: str) -> None:
    await listening(store)

    async with open_video_store(postgresql_url) as another, asyncio.timeout(60):
        await commit(another)
        assert await store.outbox_written(timeout=20)


async def test_a_process_is_not_woken_twice_by_its_own_commit(store: VideoStore) -> None:
    await listening(store)
    await commit(store)

    assert await store.outbox_written(timeout=20)
    assert not await store.outbox_written(timeout=0.3)


async def test_a_lost_server_is_an_unavailable_store_and_everything_mends_when_it_is_back(
    store: VideoStore, postgresql_url: str, postgresql_server: Server
) -> None:
    await listening(store)
    await store.check()
    before = store.connected_since()

    postgresql_server.kill()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await commit(store)
        assert store.connected_since() is None
    with pytest.raises(StoreUnavailable):
        await store.check()
    postgresql_server.start()

    await store.check()
    after = store.connected_since()
    assert before is not None
    assert after is not None
    assert after > before
    await listening(store)
    async with open_video_store(postgresql_url) as another, asyncio.timeout(60):
        await commit(another)
        assert await store.outbox_written(timeout=20)


async def test_a_password_that_is_refused_is_an_unavailable_store(postgresql_url: str) -> None:
    wrong = postgresql_url.replace("://", "://nobody:wrong@").replace("@moviola:moviola@", "@")
    async with open_video_store(wrong) as store:
        with pytest.raises(StoreUnavailable):
            await store.check()


async def test_nothing_listens_where_nothing_answers() -> None:
    async with open_video_store("postgresql://127.0.0.1:1/none") as store:
        with pytest.raises(StoreUnavailable):
            await commit(store)
        assert not await store.outbox_written(timeout=0.2)
