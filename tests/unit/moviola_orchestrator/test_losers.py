"""Objects of attempts that did not win are collected; those of the winner stay."""

from collections.abc import AsyncIterator

import pytest

from moviola.messages import TaskCanceled, TaskCommand, TaskFailed, TaskReleased
from moviola.video import RunState, Video
from tests.unit.moviola_orchestrator.stage import Stage, result, word


async def chunks() -> AsyncIterator[bytes]:
    yield b"bytes"


async def writes(stage: Stage, command: TaskCommand, nonce: str) -> str:
    """What the worker with that nonce puts into the storage."""
    key = f"{command.output_prefix}{command.attempt}-{nonce}/result.mp4"
    await stage.storage.put(key, chunks())
    return key


async def stored(stage: Stage) -> list[str]:
    return sorted([one.key async for one in stage.storage.list("outputs/")])


@pytest.fixture
async def video(stage: Stage) -> Video:
    video = await stage.upload()
    await stage.quiet()
    await stage.do("probe")
    return video


async def test_a_late_result_is_refused_and_its_object_collected_while_the_winners_stays(
    stage: Stage, video: Video
) -> None:
    zombie = await stage.start("render", nonce="late")
    await stage.pass_time(40)
    await stage.quiet()
    heir = await stage.start("render", worker="w2", nonce="heir")
    won = await writes(stage, heir, "heir")
    await writes(stage, zombie, "late")
    await stage.says(result(heir, worker="w2", nonce="heir"))
    await stage.says(result(zombie, nonce="late"))
    assert await stored(stage) == [won]
    await stage.says(result(heir, worker="w2", nonce="heir"))
    assert await stored(stage) == [won], "said twice it is the winner's all the same"


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        (TaskReleased, {}),
        (TaskCanceled, {}),
        (TaskFailed, {"code": "storage.unavailable", "message": "Away.", "permanent": False}),
        (TaskFailed, {"code": "media.corrupt", "message": "Broken.", "permanent": True}),
    ],
)
async def test_what_an_attempt_had_written_before_it_ended_otherwise_is_collected(
    stage: Stage, video: Video, kind: type[TaskFailed], about: dict[str, object]
) -> None:
    command = await stage.start("render")
    await writes(stage, command, "n1")
    await stage.says(word(kind, command, **about))
    assert await stored(stage) == []


async def test_what_a_worker_left_that_died_is_collected_when_the_run_ends(stage: Stage, video: Video) -> None:
    dead = await stage.start("render", nonce="dead")
    await writes(stage, dead, "dead")
    await stage.pass_time(40)
    await stage.quiet()
    heir = await stage.start("render", worker="w2", nonce="heir")
    won = await writes(stage, heir, "heir")
    await stage.says(result(heir, worker="w2", nonce="heir"))
    assert len(await stored(stage)) == 2
    await stage.do("thumbnails", "verify")
    assert (await stage.run_of(video)).state is RunState.READY
    assert await stored(stage) == [won]
