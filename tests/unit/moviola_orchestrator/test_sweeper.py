"""What the sweeper finds when messages, workers or whole processes were lost; time moves by hand."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from moviola import object_keys
from moviola.messages import TaskCanceled, TaskHeartbeat, TaskReleased, TaskStarted, VideoDeleted
from moviola.topology import ORCHESTRATOR
from moviola.video import RunState, TaskState, Video
from moviola_orchestrator.sweeper import Sweeper
from tests.unit.moviola_orchestrator.stage import Stage, result, word


@pytest.fixture
async def video(stage: Stage) -> Video:
    """Its probe task is dispatched."""
    video = await stage.upload()
    await stage.quiet()
    return video


async def test_an_expired_lease_gives_the_task_to_the_next_worker(stage: Stage, video: Video) -> None:
    lost = await stage.start("probe")
    await stage.pass_time(31)
    await stage.quiet()
    again = await stage.command("probe")
    assert (again.task_id, again.attempt) == (lost.task_id, 2)
    await stage.says(word(TaskStarted, again, worker="w2", nonce="n2"))
    await stage.says(result(lost))  # the zombie's
    assert (await stage.tasks_of(video))["probe"].state is TaskState.RUNNING
    await stage.says(result(again, worker="w2", nonce="n2"))
    await stage.do("render", "thumbnails", "verify")
    assert (await stage.run_of(video)).state is RunState.READY


async def test_a_lease_that_is_renewed_does_not_expire(stage: Stage, video: Video) -> None:
    command = await stage.start("probe")
    for _ in range(12):
        await stage.pass_time(10)
        await stage.says(word(TaskHeartbeat, command, progress=0.5))
    assert (await stage.tasks_of(video))["probe"].attempt == 1


async def test_two_sweepers_charge_an_expired_lease_once(stage: Stage, video: Video) -> None:
    await stage.start("probe")
    other = Sweeper(stage.bus, stage.ledger, stage.storage, stage.settings, alone=True)
    await stage.pass_time(31)
    await other.sweep()
    assert (await stage.tasks_of(video))["probe"].charged == 1


async def test_a_passed_deadline_fails_the_run(stage: Stage, video: Video) -> None:
    command = await stage.start("probe")
    await stage.sweeper.sweep()
    stage.now += timedelta(seconds=stage.settings.deadline_seconds - 10)
    await stage.sweeper.sweep()  # away for long: a grace begins
    for _ in range(5):
        await stage.pass_time(10)
        await stage.says(word(TaskHeartbeat, command, progress=0.5))
    failure = (await stage.run_of(video)).failure
    assert failure is not None
    assert failure.code == "worker.deadline_exceeded"


# Unclaimed commands.


async def test_a_command_that_vanished_is_sent_again_as_the_same_attempt(stage: Stage, video: Video) -> None:
    lost = await stage.command("probe")  # and its worker dies before a word
    await stage.pass_time(65)
    await stage.quiet()
    again = await stage.command("probe")
    assert (again.task_id, again.attempt) == (lost.task_id, 1)
    assert (await stage.tasks_of(video))["probe"].charged == 0


async def test_a_command_that_still_waits_on_a_long_queue_is_not_multiplied(stage: Stage, video: Video) -> None:
    await stage.pass_time(600)
    await stage.quiet()
    assert await stage.queued() == {"probe": 1}


async def test_of_several_only_as_many_as_vanished_are_sent_again(stage: Stage, video: Video) -> None:
    stage.now += timedelta(seconds=1)
    await stage.upload()
    await stage.quiet()
    lost = await stage.command("probe")
    await stage.pass_time(65)
    await stage.quiet()
    assert await stage.queued() == {"probe": 2}
    assert {(await stage.command("probe")).task_id for _ in range(2)} >= {lost.task_id}


async def test_a_command_that_was_not_published_yet_has_not_vanished(stage: Stage) -> None:
    video = await stage.upload()
    await stage.relay.relay()
    await stage.reactions.handle(await stage.bus.take([ORCHESTRATOR]), stage.stopping)
    await stage.pass_time(65)
    assert (await stage.tasks_of(video))["probe"].state is TaskState.DISPATCHED
    await stage.quiet()
    assert await stage.queued() == {"probe": 1}


# Grace.


async def test_nothing_expires_within_one_lease_after_the_process_started(stage: Stage, video: Video) -> None:
    await stage.start("probe")
    await stage.pass_time(29)
    stage.sweeper = Sweeper(stage.bus, stage.ledger, stage.storage, stage.settings)
    await stage.pass_time(29)
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    await stage.pass_time(5)
    assert (await stage.tasks_of(video))["probe"].attempt == 2


async def test_nothing_expires_while_the_bus_is_away_nor_for_one_lease_after(stage: Stage, video: Video) -> None:
    command = await stage.start("probe")
    stage.bus.away = True
    await stage.pass_time(300)
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    stage.bus.away = False
    stage.bus.since = stage.now
    await stage.pass_time(25)
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    await stage.says(word(TaskHeartbeat, command, progress=0.5))
    await stage.pass_time(25)
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    await stage.pass_time(10)
    assert (await stage.tasks_of(video))["probe"].attempt == 2


async def test_nothing_expires_while_the_database_is_away_nor_for_one_lease_after(stage: Stage, video: Video) -> None:
    await stage.start("probe")
    await stage.sweeper.sweep()
    stage.store.is_away = True
    await stage.pass_time(120)
    stage.store.is_away = False
    await stage.pass_time(25)
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    await stage.pass_time(10)
    assert (await stage.tasks_of(video))["probe"].attempt == 2


async def test_a_process_that_was_away_itself_gives_one_lease_of_grace(stage: Stage, video: Video) -> None:
    await stage.start("probe")
    await stage.sweeper.sweep()
    stage.now += timedelta(seconds=120)  # the machine slept
    await stage.sweeper.sweep()
    assert (await stage.tasks_of(video))["probe"].attempt == 1
    await stage.pass_time(35)
    assert (await stage.tasks_of(video))["probe"].attempt == 2


# Lost doorbells.


async def test_a_video_whose_doorbell_was_lost_is_begun(stage: Stage) -> None:
    video = await stage.upload(doorbell=False)
    await stage.sweeper.sweep()
    await stage.quiet()
    await stage.do("probe", "render", "thumbnails", "verify")
    assert (await stage.run_of(video)).state is RunState.READY


async def test_a_cancel_whose_doorbell_was_lost_is_done(stage: Stage, video: Video) -> None:
    stage.now += timedelta(seconds=1)
    await stage.change(video, cancel_requested_at=stage.now)
    await stage.sweeper.sweep()
    assert (await stage.run_of(video)).state is RunState.CANCELED


async def test_a_canceled_worker_that_says_nothing_is_waited_for_until_its_lease_ends(
    stage: Stage, video: Video
) -> None:
    await stage.start("probe")
    stage.now += timedelta(seconds=1)
    await stage.change(video, cancel_requested_at=stage.now)
    await stage.sweeper.sweep()
    assert (await stage.run_of(video)).state is RunState.CANCELING
    await stage.pass_time(31)
    assert (await stage.run_of(video)).state is RunState.CANCELED


async def test_a_lone_process_takes_up_what_the_last_one_left(stage: Stage, video: Video) -> None:
    running = await stage.start("probe")
    other = await stage.upload()
    await stage.quiet()
    await stage.command("probe")
    assert await stage.sweeper.recover() == 2
    assert await stage.sweeper.recover() == 0
    for each in (video, other):
        task = (await stage.tasks_of(each))["probe"]
        assert (task.state, task.attempt, task.charged) == (TaskState.PENDING, 2, 0)
    await stage.quiet()
    assert await stage.queued() == {"probe": 2}
    await stage.says(result(running))  # of the process that has died
    assert (await stage.tasks_of(video))["probe"].state is TaskState.DISPATCHED


async def test_a_released_task_is_given_to_somebody_else_at_once(stage: Stage, video: Video) -> None:
    await stage.says(word(TaskReleased, await stage.start("probe")))
    assert (await stage.command("probe")).attempt == 2


# Purge.


async def objects(stage: Stage) -> list[str]:
    return [one.key for prefix in ("originals/", "outputs/") async for one in stage.storage.list(prefix)]


async def put_objects(stage: Stage, video: Video) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"

    await stage.storage.put(object_keys.original(video.tenant, video.id), chunks())
    await stage.storage.put(object_keys.outputs(video.tenant, video.id) + "r/render/1-n/result.mp4", chunks())


def deleted(stage: Stage) -> list[str | None]:
    return [one.envelope.correlation_id for one in stage.bus.published if one.envelope.type == VideoDeleted.type]


async def test_a_deleted_video_is_purged_and_told_of(stage: Stage, video: Video) -> None:
    kept = await stage.upload(doorbell=False)
    await put_objects(stage, video)
    await put_objects(stage, kept)
    await stage.do("probe", "render", "thumbnails", "verify")
    await stage.delete(video)
    await stage.sweeper.sweep()
    await stage.quiet()
    assert len(await objects(stage)) == 2
    assert all(kept.id in key for key in await objects(stage))
    assert deleted(stage) == [video.id]
    assert await stage.history_of(video) == []
    await stage.sweeper.sweep()
    await stage.quiet()
    assert deleted(stage) == [video.id]


async def test_a_purge_waits_for_the_worker(stage: Stage, video: Video) -> None:
    await put_objects(stage, video)
    command = await stage.start("probe")
    await stage.delete(video)
    await stage.sweeper.sweep()
    assert (await stage.run_of(video)).state is RunState.CANCELING
    assert len(await objects(stage)) == 2
    await stage.says(word(TaskCanceled, command))
    await stage.sweeper.sweep()
    await stage.quiet()
    assert await objects(stage) == []
    assert deleted(stage) == [video.id]


async def test_a_purge_waits_for_a_worker_that_may_have_just_taken_the_command(stage: Stage, video: Video) -> None:
    """It may have said so too late, and write before it hears that nobody wants its result."""
    await put_objects(stage, video)
    await stage.command("probe")
    await stage.delete(video)
    await stage.sweeper.sweep()
    assert (await stage.run_of(video)).state is RunState.CANCELED
    assert len(await objects(stage)) == 2
    await stage.pass_time(40)
    assert await objects(stage) == []


async def test_a_purge_does_not_wait_for_ever_for_a_worker_that_is_lost(stage: Stage, video: Video) -> None:
    await put_objects(stage, video)
    await stage.start("probe")
    await stage.delete(video)
    await stage.pass_time(40)
    assert await objects(stage) == []


async def test_a_video_that_was_deleted_before_it_had_a_run_is_purged(stage: Stage) -> None:
    video = await stage.upload(doorbell=False)
    await put_objects(stage, video)
    await stage.delete(video)
    await stage.sweeper.sweep()
    await stage.quiet()
    assert await objects(stage) == []
    assert deleted(stage) == [video.id]
