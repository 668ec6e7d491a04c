"""Workers."""

from dataclasses import replace

from moviola.ports.video_store import VideoStore
from tests.contracts.video_store.records import NOW, a_worker, at


async def test_a_worker_is_alive_while_it_was_heard_of_lately(store: VideoStore) -> None:
    one, two, old = a_worker(), a_worker(kinds=(), seen_at=at(5)), a_worker(seen_at=at(-0.001))
    async with store.transaction() as tx:
        for worker in (two, old, one):
            await tx.workers.seen(worker)

        assert await tx.workers.alive(since=NOW) == [one, two]
        assert await tx.workers.alive(since=at(6)) == []


async def test_a_worker_is_what_it_last_said(store: VideoStore) -> None:
    worker = a_worker()
    newer = replace(worker, kinds=("mute",), version="0.2.0", capacity=9, seen_at=at(5))
    async with store.transaction() as tx:
        await tx.workers.seen(worker)
        await tx.workers.seen(newer)
        await tx.workers.seen(replace(worker, seen_at=at(1)))  # late

        assert await tx.workers.alive(since=NOW) == [newer]


async def test_a_worker_that_left_is_gone(store: VideoStore) -> None:
    worker, stays = a_worker(), a_worker()
    async with store.transaction() as tx:
        await tx.workers.seen(worker)
        await tx.workers.seen(stays)
        await tx.workers.left(worker.id)
        await tx.workers.left("nobody")

        assert await tx.workers.alive(since=NOW) == [stays]
