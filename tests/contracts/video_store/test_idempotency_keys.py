"""Idempotency keys."""

import asyncio
from datetime import timedelta

from moviola.ports.video_store import Answer, VideoStore
from moviola.video import DEFAULT_TENANT, Tenant, VideoId, new_id
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import NOW, at

VIDEO = VideoId(new_id())
OTHER_VIDEO = VideoId(new_id())
DAY = timedelta(hours=24)


async def begin(store: VideoStore, key: str = "key", *, tenant: Tenant = DEFAULT_TENANT, now=NOW) -> Answer | None:
    async with store.transaction() as tx:
        return await tx.idempotency_keys.begin(tenant, key, fingerprint="f", video_id=VIDEO, now=now)


async def test_a_key_is_taken_once_and_its_holder_is_told_unchanged(store: VideoStore) -> None:
    assert await begin(store) is None

    async with store.transaction() as tx:
        keys = tx.idempotency_keys
        held = await keys.begin(DEFAULT_TENANT, "key", fingerprint="g", video_id=OTHER_VIDEO, now=at(1))
        assert held == Answer("f", VIDEO)
        assert await keys.begin(DEFAULT_TENANT, "Key", fingerprint="g", video_id=OTHER_VIDEO, now=at(1)) is None
    assert await begin(store, tenant=Tenant("other")) is None
    assert await begin(store) == Answer("f", VIDEO)


async def test_the_answer_is_kept_with_the_fingerprint_known_at_the_end(store: VideoStore) -> None:
    await begin(store)
    async with store.transaction() as tx:
        await tx.idempotency_keys.finish(DEFAULT_TENANT, "key", fingerprint="whole", status=202)

    assert await begin(store) == Answer("whole", VIDEO, 202)


async def test_a_key_that_was_given_back_can_be_taken_again(store: VideoStore) -> None:
    await begin(store)
    async with store.transaction() as tx:
        await tx.idempotency_keys.abandon(DEFAULT_TENANT, "key")
        await tx.idempotency_keys.abandon(DEFAULT_TENANT, "no such key")

    assert await begin(store) is None


async def test_a_key_is_kept_for_24_hours(store: VideoStore) -> None:
    await begin(store)
    async with store.transaction() as tx:
        await tx.idempotency_keys.finish(DEFAULT_TENANT, "key", fingerprint="f", status=202)

    assert await begin(store, now=NOW + DAY - timedelta(seconds=1)) == Answer("f", VIDEO, 202)
    assert await begin(store, now=NOW + DAY) is None
    assert await begin(store, now=NOW + DAY) == Answer("f", VIDEO)


async def test_of_many_who_take_a_key_at_once_one_has_it(store: VideoStore, open_store: Opener) -> None:
    async with open_store() as another:
        answers = await asyncio.gather(*(begin(opened) for opened in (store, another) * 3))

    assert answers.count(None) == 1
    assert answers.count(Answer("f", VIDEO)) == 5
