"""The step cache: which results are there, who shares them, and what may go once somebody lets go."""

import asyncio
from dataclasses import replace

from moviola.ports.video_store import VideoStore
from moviola.video import DEFAULT_TENANT, OutputFile, Task, TaskState, Tenant, Video, VideoId, VideoState
from tests.contracts.video_store.records import NOW, a_run, a_task, a_video

LIMIT = 10


def output(key: str) -> OutputFile:
    return OutputFile(name="result.mp4", key=key, size=1, sha256="s", content_type="video/mp4")


async def made(store: VideoStore, key: str | None = "k", **wanted: object) -> tuple[Video, Task]:
    """A video with a task that has made a result; ``tenant`` goes to both."""
    video = a_video(**{name: value for name, value in wanted.items() if name == "tenant"})
    run = a_run(video)
    usual = {"state": TaskState.SUCCEEDED, "result_key": key, "outputs": (output(f"outputs/{video.id}"),)}
    task = a_task(run, **usual | wanted)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)
        await tx.tasks.add([task])
    return video, task


async def shared_by_another(store: VideoStore, video: Video, task: Task) -> tuple[Video, Task]:
    """Another video whose task has taken over that one's result."""
    return await made(store, task.result_key, outputs=task.outputs, result_of=task.run_id, origin=video.id)


async def delete(store: VideoStore, video: Video) -> None:
    async with store.transaction() as tx:
        await tx.videos.save(replace(video, state=VideoState.DELETED))


async def purge(store: VideoStore, video: Video) -> None:
    async with store.transaction() as tx:
        await tx.videos.purged(video.id, at=NOW)


async def released(store: VideoStore) -> list[VideoId]:
    async with store.snapshot() as view:
        return [one.video_id for one in await view.results.released(limit=LIMIT)]


async def shared(store: VideoStore, video: Video) -> list[str]:
    async with store.snapshot() as view:
        return list(await view.results.shared(video.id))


async def test_the_oldest_task_with_a_result_is_found_by_what_it_is_known_by(store: VideoStore) -> None:
    _, first = await made(store, "k1")
    await made(store, "k1")
    _, other = await made(store, "k2")
    await made(store, None)

    async with store.snapshot() as view:
        assert await view.results.find(DEFAULT_TENANT, ["k1", "k2", "k3", "k1"]) == {"k1": first, "k2": other}
        assert await view.results.find(DEFAULT_TENANT, []) == {}
    async with store.transaction() as tx:
        assert await tx.results.take(DEFAULT_TENANT, ["k1", "k2", "k3"]) == {"k1": first, "k2": other}


async def test_a_tenant_finds_and_forgets_its_own_results_only(store: VideoStore) -> None:
    theirs = Tenant("theirs")
    _, task = await made(store, "k", tenant=theirs)

    async with store.transaction() as tx:
        assert await tx.results.find(DEFAULT_TENANT, ["k"]) == {}
        assert await tx.results.take(DEFAULT_TENANT, ["k"]) == {}
        await tx.results.forget(DEFAULT_TENANT, ["k"])
        assert await tx.results.find(theirs, ["k"]) == {"k": task}


async def test_a_forgotten_result_is_found_no_more_and_its_tasks_are_as_they_were(store: VideoStore) -> None:
    video, task = await made(store)
    _, heir = await shared_by_another(store, video, task)

    async with store.transaction() as tx:
        await tx.results.forget(DEFAULT_TENANT, ["k", "unknown"])

    async with store.snapshot() as view:
        assert await view.results.find(DEFAULT_TENANT, ["k"]) == {}
        assert await view.tasks.of_run(task.run_id) == [replace(task, result_key=None)]
        assert await view.tasks.of_run(heir.run_id) == [replace(heir, result_key=None)]


async def test_what_a_video_has_withdrawn_is_found_with_others_that_share_it(store: VideoStore) -> None:
    video, task = await made(store)
    other, heir = await shared_by_another(store, video, task)

    async with store.transaction() as tx:
        await tx.results.withdraw(video.id)
        assert await tx.results.take(DEFAULT_TENANT, ["k"]) == {"k": heir}
        await tx.results.withdraw(other.id)
        assert await tx.results.take(DEFAULT_TENANT, ["k"]) == {}


async def test_a_withdrawal_waits_for_whoever_takes_the_result(store: VideoStore) -> None:
    """Who has taken it by then is seen to share it afterwards: between the two nothing can be deleted."""
    video, task = await made(store)
    taken, withdrawing = asyncio.Event(), asyncio.Event()

    async def take() -> None:
        other = a_video()
        run = a_run(other)
        async with store.transaction() as tx:
            found = (await tx.results.take(DEFAULT_TENANT, ["k"]))["k"]
            taken.set()
            await withdrawing.wait()
            await tx.videos.add(other)
            await tx.runs.add(run)
            await tx.tasks.add([a_task(run, outputs=found.outputs, origin=video.id, result_of=task.run_id)])

    async def withdraw() -> list[str]:
        await taken.wait()
        withdrawing.set()
        async with store.transaction() as tx:
            await tx.results.withdraw(video.id)
        return await shared(store, video)

    _, keys = await asyncio.gather(take(), withdraw())

    assert keys == [task.outputs[0].key]


async def test_what_is_being_withdrawn_is_passed_over(store: VideoStore) -> None:
    """Nobody waits for a purge; on SQLite one transaction comes after the other anyway."""
    video, _ = await made(store)
    withdrawn, done = asyncio.Event(), asyncio.Event()

    async def withdraw() -> None:
        async with store.transaction() as tx:
            await tx.results.withdraw(video.id)
            withdrawn.set()
            await asyncio.sleep(0)
        done.set()

    async def take() -> object:
        await withdrawn.wait()
        async with store.transaction() as tx:
            return await tx.results.take(DEFAULT_TENANT, ["k"])

    _, found = await asyncio.gather(withdraw(), take())

    assert found == {}


async def test_a_videos_own_tasks_do_not_count_as_sharing_its_objects(store: VideoStore) -> None:
    video, task = await made(store)
    run = a_run(video, number=2)
    async with store.transaction() as tx:
        await tx.runs.add(run)
        await tx.tasks.add([a_task(run, outputs=task.outputs, result_of=task.run_id, origin=video.id)])
    assert await shared(store, video) == []

    await shared_by_another(store, video, task)

    assert await shared(store, video) == [task.outputs[0].key]


async def test_who_shared_is_gone_once_it_is_purged_and_the_purged_owner_is_told(store: VideoStore) -> None:
    video, task = await made(store)
    other, _ = await shared_by_another(store, video, task)
    third, _ = await shared_by_another(store, video, task)
    for one in (video, other, third):
        await delete(store, one)
    await purge(store, video)
    assert await released(store) == []

    await purge(store, other)

    assert await released(store) == [video.id]
    assert await shared(store, video) == [task.outputs[0].key]
    await purge(store, third)
    assert await released(store) == [video.id]
    assert await shared(store, video) == []


async def test_what_was_collected_before_another_let_go_is_to_be_collected_again(store: VideoStore) -> None:
    video, task = await made(store)
    heirs = [await shared_by_another(store, video, task) for _ in range(2)]
    for one in (video, *(heir for heir, _ in heirs)):
        await delete(store, one)
    await purge(store, video)
    await purge(store, heirs[0][0])
    async with store.snapshot() as view:
        (seen,) = await view.results.released(limit=LIMIT)
    await purge(store, heirs[1][0])

    async with store.transaction() as tx:
        await tx.results.collected(seen)
        (again,) = await tx.results.released(limit=LIMIT)
        await tx.results.collected(again)

    assert again.token != seen.token
    assert await released(store) == []


async def test_an_owner_that_was_never_deleted_has_nothing_to_collect(store: VideoStore) -> None:
    video, task = await made(store)
    other, _ = await shared_by_another(store, video, task)
    await delete(store, other)

    await purge(store, other)

    assert await released(store) == []


async def test_an_owner_whose_purge_is_under_way_is_collected_after_it(store: VideoStore) -> None:
    """The purge may have looked who shares its objects before the other one was gone."""
    video, task = await made(store)
    other, _ = await shared_by_another(store, video, task)
    await delete(store, video)
    await delete(store, other)

    await purge(store, other)
    assert await released(store) == []
    await purge(store, video)

    assert await released(store) == [video.id]
