"""Videos."""

import asyncio
from dataclasses import replace
from itertools import product

import pytest

from moviola.errors import StaleVersion
from moviola.ports.video_store import VideoFilter, VideoStore, VideoWithRuns
from moviola.recipe import SHOWCASE
from moviola.video import DEFAULT_TENANT, RunId, RunState, Status, Tenant, VideoId, VideoState, new_id, status_of
from tests.contracts.video_store.records import NOW, a_run, a_task, a_video, an_entry, at

OTHER = Tenant("other")


async def pages(store: VideoStore, limit: int = 100, **wanted: object) -> list[VideoWithRuns]:
    """What a client sees that turns all the pages."""
    found: list[VideoWithRuns] = []
    async with store.snapshot() as tx:
        while page := await tx.videos.page(
            VideoFilter(**{"tenant": DEFAULT_TENANT} | wanted),
            limit=limit,
            before=found[-1].video.id if found else None,
        ):
            assert len(page) <= limit
            found.extend(page)
    return found


async def titles(store: VideoStore, **wanted: object) -> set[str]:
    return {found.video.title for found in await pages(store, **wanted)}


async def test_a_video_comes_back_as_it_went_in(store: VideoStore) -> None:
    full = a_video(
        title='Ein Film, "für" 子供 \U0001f3ac',
        filename="../../etc/passwd\r\n",
        object_etag="e",
        size=2**40,
        sha256="ab" * 32,
        recipe=SHOWCASE,
        tags=("b", "a", "ü"),
        metadata={"key": "värde", "": ""},
        priority=-5,
        cancel_requested_at=at(1),
        updated_at=at(2),
        version=7,
    )
    sparse = a_video(state=VideoState.WAITING_UPLOAD)
    async with store.transaction() as tx:
        await tx.videos.add(full)
        await tx.videos.add(sparse)

    async with store.snapshot() as tx:
        assert await tx.videos.get(full.tenant, full.id) == VideoWithRuns(full, None, None)
        assert await tx.videos.get(sparse.tenant, sparse.id) == VideoWithRuns(sparse, None, None)


async def test_another_tenants_video_is_not_there(store: VideoStore) -> None:
    video = a_video(tenant=OTHER)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        assert await tx.videos.get(DEFAULT_TENANT, video.id) is None
        assert await tx.videos.get(OTHER, VideoId(new_id())) is None
        assert await tx.videos.get(OTHER, VideoId("no id at all ' \\")) is None
        with pytest.raises(StaleVersion):
            await tx.videos.save(replace(video, tenant=DEFAULT_TENANT))

    assert await pages(store) == []


async def test_saving_replaces_the_row_and_counts_its_version(store: VideoStore) -> None:
    video = a_video(tags=("old",))
    async with store.transaction() as tx:
        await tx.videos.add(video)

    changed = replace(video, title="New", tags=("new",), metadata={"a": "b"}, recipe=SHOWCASE, updated_at=at(1))
    async with store.transaction() as tx:
        await tx.videos.save(changed)

    assert await pages(store) == [VideoWithRuns(replace(changed, version=2), None, None)]
    assert await titles(store, tag="new", text="new") == {"New"}


async def test_saving_over_somebody_elses_change_is_refused(store: VideoStore) -> None:
    video = a_video()
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.videos.save(replace(video, title="First"))

    with pytest.raises(StaleVersion):
        async with store.transaction() as tx:
            await tx.videos.save(replace(video, title="Second"))

    assert await titles(store) == {"First"}


async def test_of_two_who_save_the_same_version_one_is_refused(store: VideoStore) -> None:
    video = a_video()
    async with store.transaction() as tx:
        await tx.videos.add(video)

    async def save(title: str) -> None:
        async with store.transaction() as tx:
            await tx.videos.save(replace(video, title=title))

    outcomes = await asyncio.gather(save("one"), save("two"), return_exceptions=True)

    assert sorted(type(outcome) for outcome in outcomes if outcome) == [StaleVersion]


async def test_a_deleted_video_is_a_tombstone_that_no_list_shows(store: VideoStore) -> None:
    video = a_video()
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.videos.save(replace(video, state=VideoState.DELETED))

    async with store.snapshot() as tx:
        found = await tx.videos.get(video.tenant, video.id)
    assert found is not None
    assert found.video.state is VideoState.DELETED
    assert await pages(store) == []
    for status in Status:
        assert await pages(store, status=status) == []


async def test_a_page_has_the_newest_first_and_goes_on_before_its_last(store: VideoStore) -> None:
    videos = [a_video() for _ in range(5)]
    async with store.transaction() as tx:
        for video in (videos[2], videos[0], videos[4], videos[1], videos[3]):
            await tx.videos.add(video)
        await tx.videos.add(a_video(tenant=OTHER))

    newest_first = [VideoWithRuns(video, None, None) for video in reversed(videos)]
    assert await pages(store) == await pages(store, limit=2) == newest_first


async def test_every_part_of_a_filter_must_match(store: VideoStore) -> None:
    async with store.transaction() as tx:
        await tx.videos.add(a_video(title="Été à Paris", filename="one.mp4", tags=("summer", "Paris")))
        await tx.videos.add(a_video(title="100% WOOL_", filename="STRASSE.mov", tags=("sum", "a,b", 'quote"')))
        await tx.videos.add(a_video(title="Winter", filename="été.mp4", state=VideoState.WAITING_UPLOAD))

    assert await titles(store, tag="summer") == {"Été à Paris"}
    assert await titles(store, tag="paris") == set()
    assert await titles(store, tag="sum") == {"100% WOOL_"}
    assert await titles(store, tag='quote"') == {"100% WOOL_"}
    assert await titles(store, text="ÉTÉ") == {"Été à Paris", "Winter"}
    assert await titles(store, text="0% wool_") == {"100% WOOL_"}
    assert await titles(store, text="0%l") == set()
    assert await titles(store, text="l_x") == set()
    assert await titles(store, text="straße") == {"100% WOOL_"}
    assert await titles(store, text="été", status=Status.WAITING_UPLOAD) == {"Winter"}
    assert await titles(store, text="été", tag="sum") == set()


async def test_the_filter_by_status_is_the_status_that_clients_are_told(store: VideoStore) -> None:
    """Every state of the latest run, with and without an older one that is ready; and no run at all."""
    async with store.transaction() as tx:
        await tx.videos.add(a_video(state=VideoState.WAITING_UPLOAD))
        await tx.videos.add(a_video())
        for state, served in product(RunState, (False, True)):
            video = a_video()
            await tx.videos.add(video)
            if served:
                await tx.runs.add(a_run(video, state=RunState.READY))
            await tx.runs.add(a_run(video, number=1 + served, state=state))

    everything = await pages(store)

    assert len(everything) == 2 + 2 * len(RunState)
    for status in Status:
        wanted = [found for found in everything if status_of(found.video, found.latest, found.serving) is status]
        assert await pages(store, status=status) == wanted
        assert await pages(store, status=status, limit=3) == wanted


async def test_a_video_comes_with_its_latest_run_and_the_newest_that_is_ready(store: VideoStore) -> None:
    video = a_video()
    first, second, third = (a_run(video, number=number) for number in (1, 2, 3))
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(first)
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, first, None)

        await tx.runs.save(replace(first, state=RunState.READY))
        first = replace(first, state=RunState.READY, version=2)
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, first, first)

        await tx.runs.add(second)
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, second, first)

        await tx.runs.save(replace(second, state=RunState.READY))
        second = replace(second, state=RunState.READY, version=2)
        await tx.runs.add(third)
        await tx.runs.save(replace(third, state=RunState.FAILED))
        third = replace(third, state=RunState.FAILED, version=2)
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(video, third, second)

    assert await pages(store) == [VideoWithRuns(video, third, second)]


async def test_uploaded_videos_wait_for_their_first_run_the_oldest_first(store: VideoStore) -> None:
    waiting, one, two, deleted, ran = (
        a_video(tenant=tenant) for tenant in (OTHER, OTHER, DEFAULT_TENANT, OTHER, OTHER)
    )
    async with store.transaction() as tx:
        for video in (replace(waiting, state=VideoState.WAITING_UPLOAD), two, one, deleted, ran):
            await tx.videos.add(video)
        await tx.videos.save(replace(deleted, state=VideoState.DELETED))
        await tx.runs.add(a_run(ran))

    async with store.snapshot() as tx:
        assert await tx.videos.without_run(limit=9) == [one, two]
        assert await tx.videos.without_run(limit=1) == [one]


async def test_a_video_that_is_saved_after_its_run_began_does_not_wait_again(store: VideoStore) -> None:
    video = a_video()
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(a_run(video))
        await tx.videos.save(replace(video, title="New"))

    async with store.snapshot() as tx:
        assert await tx.videos.without_run(limit=9) == []


async def test_a_video_whose_next_run_was_asked_for_waits_for_it_and_is_queued_unless_it_is_ready(
    store: VideoStore,
) -> None:
    failed, ready = a_video(), a_video()
    wanted = {video.id: RunId(new_id()) for video in (failed, ready)}
    async with store.transaction() as tx:
        for video, state in ((failed, RunState.FAILED), (ready, RunState.READY)):
            await tx.videos.add(video)
            await tx.runs.add(a_run(video, state=state))
            await tx.videos.save(replace(video, wanted_run=wanted[video.id]))
            await tx.videos.save(replace(video, wanted_run=wanted[video.id], title="New", version=2))

        async def with_status(status: Status) -> list[VideoId]:
            page = await tx.videos.page(VideoFilter(tenant=DEFAULT_TENANT, status=status), limit=9)
            return [one.video.id for one in page]

        assert [video.id for video in await tx.videos.without_run(limit=9)] == [failed.id, ready.id]
        assert await with_status(Status.QUEUED) == [failed.id]
        assert await with_status(Status.READY) == [ready.id]
        assert await with_status(Status.FAILED) == []

        await tx.runs.add(a_run(failed, id=wanted[failed.id], number=2, state=RunState.PROBING))
        assert [video.id for video in await tx.videos.without_run(limit=9)] == [ready.id]
        assert await with_status(Status.PROCESSING) == [failed.id]


async def test_a_cancel_is_to_be_done_if_it_was_asked_for_during_the_latest_run(store: VideoStore) -> None:
    async def cancelled(*states: RunState, asked: float) -> VideoId:
        """A video whose runs were made at the seconds 10, 20 …"""
        video = a_video(cancel_requested_at=at(asked))
        async with store.transaction() as tx:
            await tx.videos.add(video)
            for number, state in enumerate(states, start=1):
                await tx.runs.add(a_run(video, number=number, state=state, created_at=at(10 * number)))
        return video.id

    during = await cancelled(RunState.PROBING, asked=11)
    again = await cancelled(RunState.READY, RunState.CANCELING, asked=21)
    await cancelled(RunState.PROBING, asked=9)
    await cancelled(RunState.FAILED, RunState.PROBING, asked=11)
    for terminal in (RunState.READY, RunState.FAILED, RunState.CANCELED):
        await cancelled(terminal, asked=11)
    async with store.transaction() as tx:
        await tx.videos.add(a_video(cancel_requested_at=NOW))

    async with store.snapshot() as tx:
        assert [video.id for video in await tx.videos.to_cancel(limit=9)] == [during, again]
        assert len(await tx.videos.to_cancel(limit=1)) == 1


async def test_a_deleted_video_is_to_be_purged_until_it_was(store: VideoStore) -> None:
    video, other = a_video(), a_video()
    run, others_run = a_run(video), a_run(other)
    async with store.transaction() as tx:
        for one, its_run in ((video, run), (other, others_run)):
            await tx.videos.add(one)
            await tx.runs.add(its_run)
            await tx.tasks.add([a_task(its_run)])
            await tx.history.append([an_entry(its_run)])
        assert await tx.videos.to_purge(limit=9) == []
        await tx.videos.save(replace(video, state=VideoState.DELETED))
        tombstone = replace(video, state=VideoState.DELETED, version=2)
        assert await tx.videos.to_purge(limit=9) == [tombstone]

    async with store.transaction() as tx:
        await tx.videos.purged(video.id, at=at(1))

    async with store.snapshot() as tx:
        assert await tx.videos.to_purge(limit=9) == []
        assert await tx.videos.get(video.tenant, video.id) == VideoWithRuns(tombstone, None, None)
        assert await tx.runs.of_video(video.id) == await tx.tasks.of_run(run.id) == []
        assert await tx.history.of_video(video.id) == []
        assert await tx.videos.without_run(limit=9) == []
        assert len(await tx.tasks.of_run(others_run.id)) == len(await tx.history.of_video(other.id)) == 1


async def test_to_purge_takes_a_few_at_a_time(store: VideoStore) -> None:
    async with store.transaction() as tx:
        for _ in range(3):
            await tx.videos.add(a_video(state=VideoState.DELETED))
        assert len(await tx.videos.to_purge(limit=2)) == 2
