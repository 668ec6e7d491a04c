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
        await tx.history.append([two, an_entry(others_run)])
        await tx.history.append([one, three])

    async with store.snapshot() as tx:
        assert await tx.history.of_video(video.id) == [one, two, three]
        assert await tx.history.of_video(video.id, after=one.id) == [two, three]
        assert await tx.history.of_video(video.id, after=three.id) == []
