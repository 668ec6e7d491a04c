"""The outbox."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from moviola.ports.message_bus import Envelope, Posting
from moviola.ports.video_store import VideoStore
from moviola.topology import Address
from moviola.video import utc_now
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import a_posting


async def added(store: VideoStore, count: int) -> list[Posting]:
    postings = [a_posting() for _ in range(count)]
    async with store.transaction() as tx:
        await tx.outbox.add(postings)
    return postings


async def test_postings_come_back_as_they_went_in_and_in_the_order_in_which_they_were_written(
    store: VideoStore,
) -> None:
    full = Posting(
        Address("moviola.tasks", "render"),
        Envelope(id="z", type="task.render", body=b'{"\xc3\xa9":1}', correlation_id="c", headers={"traceparent": "t"}),
    )
    later = [a_posting() for _ in range(3)]
    async with store.transaction() as tx:
        await tx.outbox.add([full, *reversed(later)])
        await tx.outbox.add([])

    async with store.transaction() as tx:
        assert await tx.outbox.claim(limit=9) == [full, *reversed(later)]
        assert await tx.outbox.claim(limit=1) == [full]


async def test_what_was_sent_is_forgotten_and_what_was_not_is_claimed_again(store: VideoStore) -> None:
    one, two, three = await added(store, 3)

    async with store.transaction() as tx:
        assert await tx.outbox.claim(limit=2) == [one, two]
        await tx.outbox.sent([one.envelope.id])
        await tx.outbox.sent([])

    async with store.transaction() as tx:
        assert await tx.outbox.claim(limit=9) == [two, three]


async def test_pending_counts_and_tells_the_age_of_the_oldest(store: VideoStore) -> None:
    async with store.snapshot() as tx:
        assert await tx.outbox.pending() == (0, None)
    await added(store, 2)

    async with store.snapshot() as tx:
        count, oldest = await tx.outbox.pending()

    assert count == 2
    assert oldest is not None
    assert timedelta() <= utc_now() - oldest < timedelta(minutes=1)


async def test_relays_at_once_send_each_message_once(store: VideoStore, open_store: Opener) -> None:
    postings = await added(store, 20)
    sent: list[str] = []

    async def relay(opened: VideoStore) -> None:
        while len(sent) < len(postings):
            async with opened.transaction() as tx:
                ids = [posting.envelope.id for posting in await tx.outbox.claim(limit=3)]
                await asyncio.sleep(0)
                await tx.outbox.sent(ids)
            sent.extend(ids)

    async with asyncio.timeout(20), open_store() as another:
        await asyncio.gather(relay(store), relay(another), relay(store))

    assert sorted(sent) == sorted(posting.envelope.id for posting in postings)
    async with store.snapshot() as tx:
        assert await tx.outbox.pending() == (0, None)


async def test_a_claim_passes_over_what_another_relay_has_claimed(store: VideoStore, open_store: Opener) -> None:
    postings = await added(store, 4)
    claimed: list[Posting] = []

    async def claim_after(opened: VideoStore) -> None:
        async with opened.transaction() as tx:
            claimed.extend(await tx.outbox.claim(limit=2))

    async with open_store() as another:
        async with store.transaction() as tx:
            ours = await tx.outbox.claim(limit=2)
            theirs = asyncio.create_task(claim_after(another))
            await asyncio.wait([theirs], timeout=0.2)
            await tx.outbox.sent([posting.envelope.id for posting in ours])
        await theirs

    assert (ours, claimed) == (postings[:2], postings[2:])


async def test_a_waiting_relay_is_woken_by_the_commit(store: VideoStore) -> None:
    waiting = asyncio.create_task(store.outbox_written(timeout=300))
    async with store.transaction() as tx:
        await tx.outbox.add([a_posting()])
        assert not waiting.done()

    assert await waiting
    async with store.snapshot() as tx:
        assert (await tx.outbox.pending())[0] == 1


async def test_a_commit_just_before_the_wait_is_not_missed(store: VideoStore) -> None:
    await added(store, 1)

    async with asyncio.timeout(60):
        assert await store.outbox_written(timeout=300)


async def test_a_wait_ends_after_its_time(store: VideoStore) -> None:
    await store.outbox_written(timeout=0.2)  # whatever rang while the store was opened

    assert not await store.outbox_written(timeout=0.01)


async def test_a_transaction_that_is_dropped_wakes_nobody(store: VideoStore) -> None:
    while await store.outbox_written(timeout=0.3):
        pass

    async def fail() -> None:
        async with store.transaction() as tx:
            await tx.outbox.add([a_posting()])
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert not await store.outbox_written(timeout=0.1)


async def test_headers_do_not_change_on_the_way(store: VideoStore) -> None:
    posting = a_posting()
    posting = replace(posting, envelope=replace(posting.envelope, headers={"a": "1", "b": "ü"}, user_id="producer"))
    async with store.transaction() as tx:
        await tx.outbox.add([posting])
        assert await tx.outbox.claim(limit=1) == [posting]
