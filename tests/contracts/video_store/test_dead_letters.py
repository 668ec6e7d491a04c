"""Dead letters."""

from typing import Any

from moviola.ports.video_store import DeadLetterFilter, StoredDeadLetter, VideoStore
from moviola.video import DEFAULT_TENANT, Tenant, new_id
from tests.contracts.video_store.records import NOW, at

OTHER = Tenant("other")


def a_letter(**wanted: Any) -> StoredDeadLetter:
    usual: dict[str, Any] = {
        "id": new_id(),
        "tenant": DEFAULT_TENANT,
        "digest": new_id(),
        "message_id": "m-1 ü",
        "type": "task.trim",
        "queue": "moviola.tasks.trim",
        "reason": "rejected",
        "exchange": "moviola.tasks",
        "key": "trim",
        "body": b"\x00\xff{",
        "size": 3,
        "headers": {"a": "b"},
        "died_at": NOW,
        "kept_at": NOW,
    }
    return StoredDeadLetter(**usual | wanted)


async def stored(store: VideoStore, *letters: StoredDeadLetter) -> None:
    async with store.transaction() as tx:
        for letter in letters:
            assert await tx.dead_letters.add(letter)


async def test_a_letter_is_found_as_it_was_added_by_its_tenant_only(store: VideoStore) -> None:
    letter = a_letter(correlation_id="v", user_id="camera", count=2**40, times=3, redriven_at=at(1))
    await stored(store, letter)

    async with store.snapshot() as tx:
        assert await tx.dead_letters.get(DEFAULT_TENANT, letter.id) == letter
        assert await tx.dead_letters.get(OTHER, letter.id) is None
        assert await tx.dead_letters.get(None, letter.id) == letter


async def test_a_letter_that_is_delivered_twice_is_kept_once(store: VideoStore) -> None:
    letter, again = a_letter(digest="d"), a_letter(digest="d")
    await stored(store, letter)

    async with store.transaction() as tx:
        assert not await tx.dead_letters.add(again)

    async with store.snapshot() as tx:
        assert await tx.dead_letters.page(DeadLetterFilter(tenant=DEFAULT_TENANT), limit=9) == [letter]


async def test_pages_are_filtered_and_the_newest_come_first(store: VideoStore) -> None:
    letters = sorted((a_letter() for _ in range(4)), key=lambda one: one.id, reverse=True)
    strange = a_letter(queue="moviola.unrouted", type="task.dance", reason="unrouted", correlation_id="v")
    sent = a_letter(redriven_at=at(0))
    await stored(store, *letters, strange, sent, a_letter(tenant=OTHER))

    async with store.snapshot() as tx:

        async def page(**wanted: Any) -> list[StoredDeadLetter]:
            return list(await tx.dead_letters.page(DeadLetterFilter(tenant=DEFAULT_TENANT, **wanted), limit=9))

        everything = DeadLetterFilter(tenant=DEFAULT_TENANT, queue="moviola.tasks.trim")
        assert await tx.dead_letters.page(everything, limit=3) == letters[:3]
        assert await tx.dead_letters.page(everything, limit=3, before=letters[2].id) == letters[3:]
        assert len(await page()) == 5
        for one in ({"queue": "moviola.unrouted"}, {"type": "task.dance"}, {"reason": "unrouted"}):
            assert await page(**one) == [strange]
        assert await page(correlation_id="v") == [strange]
        assert await page(redriven=True) == [sent]


async def test_a_letter_is_redriven_once(store: VideoStore) -> None:
    letter = a_letter()
    await stored(store, letter)

    async with store.transaction() as tx:
        assert not await tx.dead_letters.redriven(OTHER, letter.id, at=at(1))
        assert await tx.dead_letters.redriven(DEFAULT_TENANT, letter.id, at=at(1))
        assert not await tx.dead_letters.redriven(DEFAULT_TENANT, letter.id, at=at(2))
        assert not await tx.dead_letters.redriven(DEFAULT_TENANT, new_id(), at=at(2))
        found = await tx.dead_letters.get(DEFAULT_TENANT, letter.id)
        assert found is not None
        assert found.redriven_at == at(1)


async def test_what_is_removed_or_was_sent_long_ago_is_forgotten(store: VideoStore) -> None:
    old, young, waiting, unwanted = a_letter(redriven_at=at(0)), a_letter(redriven_at=at(9)), a_letter(), a_letter()
    await stored(store, old, young, waiting, unwanted)

    async with store.transaction() as tx:
        assert not await tx.dead_letters.remove(OTHER, unwanted.id)
        assert await tx.dead_letters.remove(DEFAULT_TENANT, unwanted.id)
        assert not await tx.dead_letters.remove(DEFAULT_TENANT, unwanted.id)
        assert await tx.dead_letters.forget(redriven_before=at(5)) == 1
        kept = [await tx.dead_letters.get(DEFAULT_TENANT, one.id) for one in (old, young, waiting, unwanted)]
        assert kept == [None, young, waiting, None]


async def test_those_that_wait_are_counted_by_queue(store: VideoStore) -> None:
    async with store.snapshot() as tx:
        assert await tx.dead_letters.waiting() == {}
    await stored(store, a_letter(), a_letter(tenant=OTHER), a_letter(queue="x"), a_letter(queue="y", redriven_at=NOW))

    async with store.snapshot() as tx:
        assert await tx.dead_letters.waiting() == {"moviola.tasks.trim": 2, "x": 1}
