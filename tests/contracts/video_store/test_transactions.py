"""What is true of every transaction, whatever is written in it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from moviola.errors import InvalidInput, StaleVersion, StoreUnavailable
from moviola.ports.video_store import VideoStore, VideoWithRuns
from moviola.video import DEFAULT_TENANT, RunState, TaskState, utc_now
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import NOW, a_posting, a_run, a_task, a_video, an_entry


async def test_what_was_written_is_read_within_the_transaction_and_after_it(store: VideoStore) -> None:
    video = a_video()

    async with store.transaction() as tx:
        await tx.videos.add(video)
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, None, None)

    async with store.transaction() as tx:
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, None, None)
    async with store.snapshot() as tx:
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, None, None)


class Broken(Exception):
    pass


async def test_everything_is_dropped_when_the_body_raises(store: VideoStore) -> None:
    video = a_video()
    run = a_run(video)

    async def fail() -> None:
        async with store.transaction() as tx:
            await tx.videos.add(video)
            await tx.runs.add(run)
            await tx.tasks.add([a_task(run)])
            await tx.history.append([an_entry(run)])
            await tx.outbox.add([a_posting()])
            raise Broken

    with pytest.raises(Broken):
        await fail()

    async with store.snapshot() as tx:
        assert await tx.videos.get(video.tenant, video.id) is None
        assert await tx.runs.get(run.id) is None
        assert await tx.tasks.of_run(run.id) == []
        assert await tx.history.of_video(video.id) == []
        assert await tx.outbox.pending() == (0, None)


async def test_a_cancelled_transaction_is_dropped_and_holds_nothing_up(store: VideoStore) -> None:
    video = a_video()
    written = asyncio.Event()

    async def never_ending() -> None:
        async with store.transaction() as tx:
            await tx.videos.add(video)
            written.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(never_ending())
    await written.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    async with store.transaction() as tx:
        assert await tx.videos.get(video.tenant, video.id) is None
        await tx.videos.add(video)


async def test_a_transaction_cancelled_at_any_moment_holds_nothing_up(store: VideoStore) -> None:
    async def write() -> None:
        async with store.transaction() as tx:
            await tx.videos.add(a_video())

    for turns in range(1, 40, 3):
        writing = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])

    async with asyncio.timeout(60):
        await write()


async def test_many_writers_increment_one_run_and_no_increment_is_lost(store: VideoStore, open_store: Opener) -> None:
    video = a_video()
    run = a_run(video, priority=0)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)

    async def increment(opened: VideoStore) -> None:
        for _ in range(10):
            async with opened.transaction() as tx:
                locked = await tx.runs.lock(run.id)
                assert locked is not None
                await tx.runs.save(replace(locked, priority=locked.priority + 1))

    async with open_store() as another, asyncio.TaskGroup() as group:
        for opened in (store, another) * 3:
            group.create_task(increment(opened))

    async with store.snapshot() as tx:
        found = await tx.runs.get(run.id)
    assert found is not None
    assert (found.priority, found.version) == (60, 61)


async def test_a_snapshot_does_not_see_what_is_committed_after_its_first_look(store: VideoStore) -> None:
    before, after = a_video(), a_video()
    async with store.transaction() as tx:
        await tx.videos.add(before)

    async with store.snapshot() as view:
        assert await view.videos.get(before.tenant, before.id) is not None
        async with store.transaction() as tx:
            await tx.videos.add(after)
            await tx.videos.save(replace(before, title="Another"))
        assert await view.videos.get(after.tenant, after.id) is None
        assert await view.videos.get(before.tenant, before.id) == VideoWithRuns(before, None, None)


async def test_a_snapshot_waits_for_no_writer_and_no_writer_for_it(store: VideoStore) -> None:
    video = a_video()
    async with asyncio.timeout(60), store.transaction() as tx:
        await tx.videos.add(video)
        async with store.snapshot() as view:
            assert await view.videos.get(video.tenant, video.id) is None


async def test_a_snapshot_can_not_be_written_to(store: VideoStore) -> None:
    run = a_run(a_video())
    async with store.snapshot() as view:
        with pytest.raises(RuntimeError, match="reading only"):
            await view.videos.add(a_video())
        with pytest.raises(RuntimeError, match="reading only"):
            await view.runs.lock(run.id)
        with pytest.raises(RuntimeError, match="reading only"):
            await view.outbox.claim(limit=1)


async def test_an_error_of_the_body_comes_out_as_it_is(store: VideoStore) -> None:
    with pytest.raises(FileNotFoundError):
        async with store.transaction():
            raise FileNotFoundError
    assert store.connected_since() is not None


async def test_adding_the_same_thing_twice_is_somebody_elses_first_write(store: VideoStore) -> None:
    video = a_video()
    async with store.transaction() as tx:
        await tx.videos.add(video)

    with pytest.raises(StaleVersion):
        async with store.transaction() as tx:
            await tx.videos.add(video)


async def test_a_text_that_one_database_can_not_hold_is_refused_by_both(store: VideoStore) -> None:
    for refused in (
        a_video(title="nul \0"),
        a_video(filename="nul \0"),
        a_video(tags=("nul \0",)),
        a_video(metadata={"nul": "\0"}),
        a_video(title="half a surrogate \ud800"),
        a_video(tags=("half a surrogate \ud800",)),
        a_video(priority=2**80),
    ):
        with pytest.raises(InvalidInput):
            async with store.transaction() as tx:
                await tx.videos.add(refused)


async def test_a_store_without_a_schema_is_not_ready(open_store: Opener) -> None:
    async with open_store() as store:
        with pytest.raises(StoreUnavailable, match="migrate"):
            await store.check()
        with pytest.raises(StoreUnavailable):
            async with store.snapshot() as tx:
                await tx.outbox.pending()

        await store.migrate()

        await store.check()


async def test_any_number_may_migrate_at_once_and_again(open_store: Opener) -> None:
    async def migrate() -> None:
        async with open_store() as store:
            await store.migrate()
            await store.check()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(migrate())


async def test_the_connection_is_known_since_the_database_first_answered(open_store: Opener) -> None:
    async with open_store() as store:
        assert store.connected_since() is None
        await store.migrate()
        await store.check()
        since = store.connected_since()
        await store.check()

        assert since is not None
        assert store.connected_since() == since
        assert utc_now() - since < timedelta(minutes=1)


async def test_what_was_committed_is_there_when_the_store_is_opened_again(open_store: Opener) -> None:
    video = a_video()
    async with open_store() as store:
        await store.migrate()
        async with store.transaction() as tx:
            await tx.videos.add(video)

    async with open_store() as store, store.snapshot() as tx:
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, None, None)


async def test_every_table_of_a_run_can_be_written_in_one_transaction(store: VideoStore) -> None:
    video = a_video()
    run = a_run(video)
    task = a_task(run)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)
        await tx.tasks.add([task])
        await tx.history.append([an_entry(run)])
        await tx.outbox.add([a_posting()])
        locked = await tx.runs.lock(run.id)
        assert locked is not None
        await tx.runs.save(replace(locked, state=RunState.PROBING))
        await tx.tasks.save([replace(task, state=TaskState.DISPATCHED, dispatched_at=NOW)])

    async with store.snapshot() as tx:
        found = await tx.videos.get(DEFAULT_TENANT, video.id)
        assert found is not None
        assert found.latest == replace(run, state=RunState.PROBING, version=2)
