"""History."""

from moviola.ports.video_store import VideoStore
from tests.contracts.video_store.records import a_run, a_video, an_entry, at


async def test_entries_of_a_video_come_back_in_order_and_from_a_place_on(store: VideoStore) -> None:
    video, other = a_video(), a_video()
    run, another_run, others_run = a_run(video), a_run(video, number=2), a_run(other)
    one = an_entry(run)
    two = an_entry(run, subject="render", previous="a", state="b", worker="w", attempt=2, at=at(5))
    three = an_entry(another_run, cause="ünïcode")
    async with store.transaction() as tx:
        for each in (video, other):
            await tx.videos.add(each)
        for each_run in (run, another_run, others_run):
            await tx.runs.add(each_run)
        await tx.history.append([])
        await tx.history.append([one, an_entry(others_run)])
        await tx.history.append([two, three])

    async with store.snapshot() as tx:
        assert await tx.history.of_video(video.id) == [one, two, three]
        assert await tx.history.of_video(video.id, after=one.id) == [two, three]
        assert await tx.history.of_video(video.id, after=three.id) == []


async def test_the_order_is_that_of_appending_whatever_the_ids(store: VideoStore) -> None:
    """Ids that two processes make within one millisecond have no order."""
    video = a_video()
    run = a_run(video)
    later_id, sooner_id = sorted([an_entry(run), an_entry(run, state="probing")], key=lambda one: one.id, reverse=True)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)
        await tx.history.append([later_id])
        await tx.history.append([sooner_id])

    async with store.snapshot() as tx:
        assert await tx.history.of_video(video.id) == [later_id, sooner_id]
        assert await tx.history.page(video.id, limit=9) == [later_id, sooner_id]
        assert await tx.history.page(video.id, limit=9, after=later_id.id) == [sooner_id]


async def test_pages_are_of_one_run_or_all_and_end_with_a_time(store: VideoStore) -> None:
    video, other = a_video(), a_video()
    run, second, others = a_run(video), a_run(video, number=2), a_run(other)
    entries = [an_entry(one, at=at(seconds)) for seconds, one in enumerate([run, run, second, second])]
    async with store.transaction() as tx:
        for each in (video, other):
            await tx.videos.add(each)
        for each_run in (run, second, others):
            await tx.runs.add(each_run)
        await tx.history.append([*entries, an_entry(others)])

    async with store.snapshot() as tx:
        assert await tx.history.page(video.id, limit=3) == entries[:3]
        assert await tx.history.page(video.id, limit=3, after=entries[2].id) == entries[3:]
        assert await tx.history.page(video.id, limit=9, run_id=second.id) == entries[2:]
        assert await tx.history.page(video.id, limit=9, run_id=others.id) == []
        assert await tx.history.page(video.id, limit=9, until=at(2)) == entries[:3]
        assert await tx.history.page(video.id, limit=9, run_id=run.id, until=at(0), after=None) == entries[:1]
