"""Workers."""

from dataclasses import replace

from moviola.ports.video_store import VideoStore
from moviola.video import TaskId
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


async def test_strikes_count_tasks_and_stay_when_the_worker_is_seen_again(store: VideoStore) -> None:
    worker = a_worker()
    one, two = TaskId("one"), TaskId("two")
    async with store.transaction() as tx:
        await tx.workers.seen(worker)
        assert await tx.workers.strike(worker.id, task_id=one) == 1
        assert await tx.workers.strike(worker.id, task_id=one) == 0
        assert await tx.workers.strike(worker.id, task_id=two) == 2
        assert await tx.workers.strike("nobody", task_id=two) == 0
        await tx.workers.rest(worker.id, until=at(60))
        await tx.workers.seen(replace(worker, seen_at=at(5)))

        struck = replace(worker, seen_at=at(5), strikes=2, resting_until=at(60))
        assert await tx.workers.get(worker.id) == struck
        assert await tx.workers.alive(since=NOW) == [struck]
        assert (struck.rests(at(59)), struck.rests(at(60))) == (True, False)


async def test_strikes_that_are_cleared_end_the_rest_too(store: VideoStore) -> None:
    worker, other = a_worker(), a_worker()
    async with store.transaction() as tx:
        for one in (worker, other):
            await tx.workers.seen(one)
            await tx.workers.strike(one.id, task_id=TaskId("task"))
        await tx.workers.rest(worker.id, until=at(60))

        assert await tx.workers.clear(worker.id)
        assert not await tx.workers.clear(worker.id)
        assert await tx.workers.get(worker.id) == worker
        assert await tx.workers.strike(worker.id, task_id=TaskId("task")) == 1
        assert (await tx.workers.get("nobody"), await tx.workers.clear("nobody")) == (None, False)
