"""Runs."""

import asyncio
from dataclasses import replace

import pytest

from moviola.errors import StaleVersion
from moviola.planner import compile_plan
from moviola.ports.video_store import VideoStore
from moviola.probe import Probe, VideoStream, Warning
from moviola.quality import Check, Quality
from moviola.recipe import SHOWCASE
from moviola.video import Failure, OutputFile, Run, RunId, RunState, Video, new_id
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import a_run, a_video, at

PROBE = Probe(
    container="mp4",
    size=123,
    duration=61.5,
    video=VideoStream(
        index=0, codec="h264", width=1920, height=1080, display_width=1920, display_height=1080,
        pixel_format="yuv420p", frame_rate=29.97,
    ),
    warnings=(Warning(code="probe.variable_frame_rate", message="…"),),
)  # fmt: skip
FILE = OutputFile(name="result.mp4", key="outputs/k", size=9, sha256="ab" * 32, content_type="video/mp4")


async def stored(store: VideoStore, *numbers: int) -> tuple[Video, list[Run]]:
    video = a_video()
    runs = [a_run(video, number=number) for number in numbers]
    async with store.transaction() as tx:
        await tx.videos.add(video)
        for run in runs:
            await tx.runs.add(run)
    return video, runs


async def test_a_run_comes_back_as_it_went_in(store: VideoStore) -> None:
    video = a_video()
    full = a_run(
        video,
        state=RunState.FAILED,
        recipe=SHOWCASE,
        plan=compile_plan(SHOWCASE, PROBE),
        probe=PROBE,
        files=(FILE, FILE),
        failure=Failure(code="media.corrupt", step="render", message='It is "broken"'),
        quality=Quality(checks=(Check(name="duration", ok=False, expected="2 s", found="1 s", file="result.mp4"),)),
        priority=3,
        updated_at=at(1),
        finished_at=at(2),
        version=4,
    )
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(full)

    async with store.transaction() as tx:
        assert await tx.runs.get(full.id) == await tx.runs.lock(full.id) == await tx.runs.latest(video.id) == full


async def test_a_run_that_is_not_there_is_none(store: VideoStore) -> None:
    async with store.transaction() as tx:
        assert await tx.runs.get(RunId(new_id())) is None
        assert await tx.runs.lock(RunId(new_id())) is None
        assert await tx.runs.latest(a_video().id) is None
        assert await tx.runs.of_video(a_video().id) == []


async def test_runs_of_a_video_are_in_the_order_of_their_numbers_and_the_last_added_is_the_latest(
    store: VideoStore,
) -> None:
    video, runs = await stored(store, 1, 2, 3)

    async with store.snapshot() as tx:
        assert await tx.runs.of_video(video.id) == runs
        assert await tx.runs.latest(video.id) == runs[-1]


async def test_a_number_is_given_once_and_a_refused_run_changes_nothing(store: VideoStore) -> None:
    video, runs = await stored(store, 1, 2)

    async with store.transaction() as tx:
        for number in (1, 2):
            with pytest.raises(StaleVersion):
                await tx.runs.add(a_run(video, number=number))

    async with store.snapshot() as tx:
        assert await tx.runs.of_video(video.id) == runs
        assert await tx.runs.latest(video.id) == runs[-1]


async def test_of_two_who_add_a_run_of_one_number_at_once_one_is_refused(store: VideoStore, open_store: Opener) -> None:
    video, _ = await stored(store, 1)

    async def add(opened: VideoStore) -> None:
        async with opened.transaction() as tx:
            await tx.runs.add(a_run(video, number=2))

    async with open_store() as another:
        outcomes = await asyncio.gather(add(store), add(another), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if outcome] == [StaleVersion]
    async with store.snapshot() as tx:
        assert [run.number for run in await tx.runs.of_video(video.id)] == [1, 2]


async def test_a_run_is_saved_over_the_version_that_was_read_and_no_other(store: VideoStore) -> None:
    _, [run] = await stored(store, 1)
    changed = replace(run, state=RunState.PROBING, probe=PROBE, files=(FILE,), updated_at=at(3))

    async with store.transaction() as tx:
        await tx.runs.save(changed)
    with pytest.raises(StaleVersion):
        async with store.transaction() as tx:
            await tx.runs.save(changed)

    async with store.snapshot() as tx:
        assert await tx.runs.get(run.id) == replace(changed, version=2)


async def test_nobody_else_can_lock_a_run_until_the_transaction_ends(store: VideoStore, open_store: Opener) -> None:
    _, [run] = await stored(store, 1)
    order: list[str] = []

    async def lock(opened: VideoStore) -> None:
        async with opened.transaction() as tx:
            found = await tx.runs.lock(run.id)
            order.append("locked")
            assert found is not None
            assert found.state is RunState.PROBING

    async with open_store() as another:
        async with store.transaction() as tx:
            assert await tx.runs.lock(run.id) == run
            waiting = asyncio.create_task(lock(another))
            await asyncio.wait([waiting], timeout=0.2)
            await tx.runs.save(replace(run, state=RunState.PROBING))
            order.append("saved")
        await waiting

    assert order == ["saved", "locked"]


async def test_a_run_that_becomes_ready_after_a_newer_one_does_not_take_its_place(store: VideoStore) -> None:
    video, [first, second] = await stored(store, 1, 2)
    async with store.transaction() as tx:
        await tx.runs.save(replace(second, state=RunState.READY))
        await tx.runs.save(replace(first, state=RunState.READY))

        found = await tx.videos.get(video.tenant, video.id)

    assert found is not None
    assert found.serving is not None
    assert found.serving.id == second.id
