"""What the orchestrator does about the messages of its queue."""

import asyncio
from datetime import timedelta

import pytest

from moviola.messages import (
    CancelTasks,
    TaskCanceled,
    TaskFailed,
    TaskHeartbeat,
    TaskStarted,
    VideoCancelRequested,
    VideoDeleteRequested,
    VideoReady,
    VideoUploaded,
    WorkerAlive,
)
from moviola.ports.message_bus import Envelope, Posting, post
from moviola.topology import EVENTS, ORCHESTRATOR, Address
from moviola.video import RunState, TaskState, VideoState, new_id
from tests.unit.moviola_orchestrator.stage import Stage, result, word


async def test_an_uploaded_video_goes_all_the_way(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    await stage.do("probe", "render", "thumbnails", "verify")
    run = await stage.run_of(video)
    assert run.state is RunState.READY
    assert [file.name for file in run.files] == ["result.mp4", "poster.jpg"]
    assert await stage.unsent() == 0
    assert await stage.dead() == 0


async def test_the_history_is_kept_with_its_causes(stage: Stage) -> None:
    video = await stage.upload(None)
    await stage.quiet()
    await stage.do("probe")
    told = [(entry.subject, entry.previous, entry.state, entry.event) for entry in await stage.history_of(video)]
    assert told == [
        ("run", None, "uploaded", "video.uploaded"),
        ("probe", None, "pending", "video.uploaded"),
        ("probe", "pending", "dispatched", "task.dispatched"),
        ("probe", "dispatched", "running", "task.started"),
        ("run", "uploaded", "probing", "task.started"),
        ("probe", "running", "succeeded", "task.succeeded"),
        ("run", "probing", "ready", "task.succeeded"),
    ]


async def test_a_doorbell_that_rings_twice_begins_one_run(stage: Stage) -> None:
    video = await stage.upload()
    await stage.says(*[VideoUploaded(video_id=video.id, tenant=video.tenant)] * 2)
    assert await stage.queued() == {"probe": 1}


@pytest.mark.parametrize("state", [VideoState.WAITING_UPLOAD, VideoState.DELETED])
async def test_a_video_that_is_not_there_begins_no_run(stage: Stage, state: VideoState) -> None:
    await stage.upload(state=state)
    await stage.quiet()
    assert await stage.queued() == {}


async def test_every_message_three_times_changes_nothing(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    for kind in ("probe", "render", "thumbnails", "verify"):
        command = await stage.command(kind)
        await stage.says(*[word(TaskStarted, command)] * 3)
        await stage.says(*[result(command)] * 3)
    tasks = await stage.tasks_of(video)
    assert (await stage.run_of(video)).state is RunState.READY
    assert {task.attempt for task in tasks.values()} == {1}
    entries = await stage.history_of(video)
    assert len(entries) == len({(entry.subject, entry.state) for entry in entries})


async def test_an_event_waits_for_a_database_that_is_away_and_is_never_handed_back(stage: Stage) -> None:
    video = await stage.upload(doorbell=False)
    await stage.bus.publish([post(VideoUploaded(video_id=video.id, tenant=video.tenant))])
    delivery = await stage.bus.take([ORCHESTRATOR])
    stage.store.faults = ["before", "before"]
    await stage.reactions.handle(delivery, stage.stopping)
    assert (await stage.run_of(video)).state is RunState.UPLOADED
    assert await stage.bus.depth(ORCHESTRATOR) == 0
    assert await stage.dead() == 0


async def test_a_commit_whose_outcome_is_unknown_takes_effect_once(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    await stage.bus.publish([post(result(command))])
    stage.store.faults = ["after"]
    await stage.reactions.handle(await stage.bus.take([ORCHESTRATOR]), stage.stopping)
    await stage.quiet()
    assert await stage.queued() == {"render": 1}
    states = [entry.state for entry in await stage.history_of(video) if entry.subject == "run"]
    assert states == ["uploaded", "probing", "rendering"]


async def test_an_event_is_decided_anew_when_somebody_else_wrote_first(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.command("probe")
    await stage.bus.publish([post(word(TaskStarted, command))])
    stage.store.faults = ["stale", "stale"]
    await stage.reactions.handle(await stage.bus.take([ORCHESTRATOR]), stage.stopping)
    assert await stage.dead() == 0
    assert [entry.state for entry in await stage.history_of(video)].count("running") == 1


async def test_an_event_is_undecided_when_the_process_stops_while_the_database_is_away(stage: Stage) -> None:
    video = await stage.upload(doorbell=False)
    await stage.bus.publish([post(VideoUploaded(video_id=video.id, tenant=video.tenant))])
    async with stage.bus.consume(ORCHESTRATOR, prefetch=1) as deliveries:
        delivery = await anext(deliveries)
        stage.store.faults = ["before"] * 100
        handling = asyncio.create_task(stage.reactions.handle(delivery, stage.stopping))
        stage.stopping.set()
        await handling
    assert await stage.bus.depth(ORCHESTRATOR) == 1


@pytest.mark.parametrize(
    ("type_", "body"), [("task.started", b"{"), ("task.started", b"{}"), ("nonsense", b"{}"), ("video.deleted", b"{}")]
)
async def test_a_message_that_cant_be_read_goes_to_the_dead_letters(stage: Stage, type_: str, body: bytes) -> None:
    envelope = Envelope(id=new_id(), type=type_, body=body)
    await stage.bus.publish([Posting(Address(EVENTS, "task.started"), envelope)])
    await stage.quiet()
    assert await stage.dead() == 1


async def test_a_message_that_is_none_of_ours_goes_to_the_dead_letters(stage: Stage) -> None:
    posting = post(VideoReady(video_id="v", tenant="default", run_id="r", files=()))
    await stage.bus.publish([Posting(Address(EVENTS, "task.started"), posting.envelope)])
    await stage.quiet()
    assert await stage.dead() == 1


async def test_a_heartbeat_renews_the_lease_of_its_owner(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    stage.now += timedelta(seconds=20)
    await stage.says(word(TaskHeartbeat, command, progress=0.5))
    assert (await stage.tasks_of(video))["probe"].lease_until == stage.now + timedelta(seconds=30)


async def test_a_heartbeat_of_somebody_else_renews_nothing_and_stops_him(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    before = (await stage.tasks_of(video))["probe"].lease_until
    stage.now += timedelta(seconds=20)
    await stage.says(word(TaskHeartbeat, command, worker="w2", nonce="n2", progress=0.5))
    assert (await stage.tasks_of(video))["probe"].lease_until == before
    assert stage.bus.published[-1].envelope.message() == CancelTasks(task_ids=(command.task_id,), except_nonce="n1")


async def test_a_worker_whose_run_is_gone_is_stopped(stage: Stage) -> None:
    await stage.upload()
    await stage.quiet()
    command = (await stage.command("probe")).model_copy(update={"run_id": "gone"})
    await stage.says(word(TaskStarted, command))
    assert stage.bus.published[-1].envelope.message() == CancelTasks(task_ids=(command.task_id,))


async def test_workers_are_known_from_their_word_until_they_leave(stage: Stage) -> None:
    alive = WorkerAlive(worker="w9", kinds=("probe", "mute"), version="2", capacity=3)
    await stage.says(alive)
    async with stage.store.snapshot() as view:
        known = {worker.id: worker for worker in await view.workers.alive(since=stage.now)}
    assert (known["w9"].kinds, known["w9"].capacity, known["w9"].version) == (("probe", "mute"), 3, "2")
    await stage.says(alive.model_copy(update={"leaving": True}))
    async with stage.store.snapshot() as view:
        assert "w9" not in {worker.id for worker in await view.workers.alive(since=stage.now)}


async def test_a_cancel_stops_the_worker_and_is_finished_by_its_word(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    await stage.change(video, cancel_requested_at=stage.now)
    await stage.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    assert (await stage.run_of(video)).state is RunState.CANCELING
    assert CancelTasks(task_ids=(command.task_id,)) in [one.envelope.message() for one in stage.bus.published]
    await stage.says(word(TaskCanceled, command))
    assert (await stage.run_of(video)).state is RunState.CANCELED


async def test_a_delete_cancels_too_and_has_the_sweeper_look_at_once(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    await stage.delete(video)
    await stage.says(VideoDeleteRequested(video_id=video.id, tenant=video.tenant))
    assert (await stage.run_of(video)).state is RunState.CANCELED
    assert await stage.bells.sweep.heard(timeout=0.01)


async def test_a_cancel_that_comes_before_the_run_cancels_it(stage: Stage) -> None:
    video = await stage.upload(doorbell=False, cancel_requested_at=stage.now)
    await stage.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    assert (await stage.run_of(video)).state is RunState.CANCELED
    assert await stage.queued() == {}


async def test_a_cancel_of_a_video_that_nobody_has_changes_nothing(stage: Stage) -> None:
    await stage.says(VideoCancelRequested(video_id="nobody", tenant="default"))
    assert await stage.dead() == 0


async def test_a_retry_waits_for_its_time_and_rings_then(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    await stage.says(word(TaskFailed, command, code="storage.unavailable", message="Away.", permanent=False))
    task = (await stage.tasks_of(video))["probe"]
    assert (task.state, task.not_before) == (TaskState.PENDING, stage.now + timedelta(seconds=0.5))
    assert await stage.queued() == {}
    while await stage.bells.dispatch.heard(timeout=0.01):
        pass  # what was rung until now
    stage.now += timedelta(seconds=1)
    assert await stage.bells.dispatch.heard(timeout=5)
    await stage.quiet()
    assert (await stage.command("probe")).attempt == 2
