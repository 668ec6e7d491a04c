"""Which tasks are put on the bus, when, and with what in them."""

import asyncio
from datetime import timedelta

import pytest

from moviola import object_keys
from moviola.messages import (
    ObjectRef,
    RenderVideo,
    TaskFailed,
    TaskStarted,
    TaskSucceeded,
    VideoCancelRequested,
    WorkerAlive,
)
from moviola.plan import Edit, SoundWork
from moviola.ports.message_bus import post
from moviola.probe import AudioStream
from moviola.recipe import Mute, Normalize, Recipe, Resize, Thumbnails, Trim, Watermark
from moviola.topology import ORCHESTRATOR
from moviola.video import TaskState, Worker
from moviola_orchestrator.dispatch import Dispatcher, room
from moviola_orchestrator.ledger import Ledger
from tests.unit.moviola_orchestrator.scene import facts
from tests.unit.moviola_orchestrator.stage import Stage, result, word


@pytest.fixture
async def empty(stage: Stage) -> Stage:
    """A stage with no worker yet."""
    await stage.reactions.react(WorkerAlive(worker="w1", kinds=(), version="1", capacity=1, leaving=True))
    return stage


def worker(stage: Stage, *kinds: str, capacity: int = 1) -> Worker:
    return Worker(id="w", kinds=kinds, version="1", capacity=capacity, seen_at=stage.now)


async def test_the_room_is_two_for_each_place_of_a_worker_less_what_is_unclaimed(stage: Stage) -> None:
    workers = [worker(stage, "probe", "mute"), worker(stage, "probe", capacity=3)]
    assert room(workers, {}) == {"probe": 8, "mute": 2}
    assert room(workers, {"probe": 7, "mute": 2, "trim": 9}) == {"probe": 1}
    assert room([], {}) == {}


async def test_nothing_is_dispatched_while_there_is_no_worker(empty: Stage) -> None:
    await empty.upload()
    await empty.quiet()
    assert await empty.queued() == {}
    await empty.workers(1, kinds=["mute"])
    await empty.quiet()
    assert await empty.queued() == {}
    await empty.workers(1, kinds=["probe"])
    await empty.quiet()
    assert await empty.queued() == {"probe": 1}


async def test_a_worker_that_is_silent_counts_no_more(stage: Stage) -> None:
    stage.now += timedelta(seconds=stage.settings.worker_silent_seconds + 1)
    await stage.upload()
    await stage.quiet()
    assert await stage.queued() == {}


async def test_two_tasks_a_worker_are_on_the_bus_and_the_rest_wait_as_rows(empty: Stage) -> None:
    await empty.workers(2)
    for _ in range(7):
        await empty.upload()
    await empty.quiet()
    assert await empty.queued() == {"probe": 4}
    command = await empty.start("probe")
    assert await empty.queued() == {"probe": 4}, "a place is free as soon as one has started"
    await empty.start("probe", nonce="n2")
    assert command.name == "probe"


async def test_higher_priority_first_then_the_oldest(empty: Stage) -> None:
    videos = []
    for priority in (0, 0, 5, 9):
        videos.append(await empty.upload(priority=priority))
        empty.now += timedelta(seconds=1)
    await empty.quiet()
    await empty.workers(1)
    await empty.quiet()
    order = [(await empty.start("probe", nonce=f"n{n}")).video_id for n in range(4)]
    assert order == [videos[3].id, videos[2].id, videos[0].id, videos[1].id]


async def test_many_waiting_tasks_of_one_kind_hide_no_other_kind(stage: Stage) -> None:
    first = await stage.upload()
    await stage.quiet()
    probe = await stage.start("probe")
    await stage.workers(1, kinds=["probe"])
    await stage.says(result(probe))
    for _ in range(9):
        await stage.upload(priority=9)
    await stage.quiet()
    assert await stage.queued() == {"probe": 2}, "seven more wait, all before the render"
    await stage.workers(1, kinds=["probe", "render"])
    await stage.quiet()
    assert (await stage.command("render")).video_id == first.id


async def test_a_task_that_is_held_back_is_dispatched_when_its_time_has_come(stage: Stage) -> None:
    await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    await stage.says(word(TaskFailed, command, code="storage.unavailable", message="Away.", permanent=False))
    assert await stage.dispatcher.dispatch_waiting() == 0
    stage.now += timedelta(seconds=0.5)
    assert await stage.dispatcher.dispatch_waiting() == 1


async def test_two_replicas_dispatch_a_task_once(empty: Stage) -> None:
    for _ in range(4):
        await empty.upload()
    await empty.quiet()
    await empty.workers(2)
    ledgers = [Ledger(empty.store, empty.settings, empty.bells, clock=lambda: empty.now) for _ in range(2)]
    counts = await asyncio.gather(*(Dispatcher(one, empty.settings).dispatch_waiting() for one in ledgers))
    assert sum(counts) == 4
    await empty.relay.relay()
    assert await empty.queued() == {"probe": 4}


async def test_a_canceled_run_is_dispatched_no_more(empty: Stage) -> None:
    video = await empty.upload()
    await empty.quiet()
    await empty.change(video, cancel_requested_at=empty.now)
    await empty.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    await empty.workers()
    await empty.quiet()
    assert await empty.queued() == {}


async def test_the_next_pass_is_dispatched_in_the_transaction_that_makes_it_wait(stage: Stage) -> None:
    video = await stage.upload()
    await stage.quiet()
    command = await stage.start("probe")
    await stage.bus.publish([post(result(command))])
    await stage.reactions.handle(await stage.bus.take([ORCHESTRATOR]), stage.stopping)
    assert (await stage.tasks_of(video))["render"].state is TaskState.DISPATCHED


async def test_a_pass_that_has_no_room_waits_behind_the_others(stage: Stage) -> None:
    videos = [await stage.upload() for _ in range(3)]
    await stage.quiet()
    probes = [await stage.start("probe", nonce=f"n{n}") for n in range(3)]
    for number, probe in enumerate(probes):
        await stage.says(result(probe, nonce=f"n{number}"))
    assert await stage.queued() == {"render": 2}
    assert (await stage.tasks_of(videos[2]))["render"].state is TaskState.PENDING
    await stage.start("render")
    assert await stage.queued() == {"render": 2}


# What a command says.


async def test_a_probe_reads_the_original_as_it_was_uploaded(stage: Stage) -> None:
    video = await stage.upload(sha256="f" * 64)
    await stage.quiet()
    command = await stage.command("probe")
    run = await stage.run_of(video)
    assert command.source == ObjectRef(key=video.object_key, etag="etag-1", size=1000, sha256="f" * 64)
    assert (command.run_id, command.attempt, command.files, command.lease_seconds) == (run.id, 1, (), 30)
    assert command.deadline == stage.now + timedelta(seconds=stage.settings.deadline_seconds)
    assert command.output_prefix == f"outputs/default/{video.id}/{run.id}/probe/"


async def test_a_pass_has_its_parameters_and_files_from_the_plan(stage: Stage) -> None:
    video = await stage.upload(Recipe(steps=(Trim(end=5), Resize(height=360), Thumbnails(at=2))))
    await stage.quiet()
    await stage.do("probe")
    command = await stage.start("render")
    plan = (await stage.run_of(video)).plan
    assert plan is not None
    assert isinstance(command, RenderVideo)
    assert command.parameters == plan.named("render").parameters
    assert command.files == ("result.mp4",)
    assert command.source.key == video.object_key


async def test_a_pass_reads_what_the_pass_before_it_made(stage: Stage) -> None:
    video = await stage.upload(Recipe(steps=(Trim(end=5), Thumbnails())))
    await stage.quiet()
    await stage.do("probe", "trim")
    output = (await stage.tasks_of(video))["trim"].outputs[0]
    command = await stage.command("thumbnails")
    assert command.source == ObjectRef(key=output.key, size=10, sha256="0" * 64)


async def test_images_to_lay_over_come_as_resources_under_their_names(stage: Stage) -> None:
    await stage.upload(Recipe(steps=(Watermark(image="logo-1"), Watermark(text="ANB"), Mute())))
    await stage.quiet()
    await stage.do("probe")
    command = await stage.command("render")
    assert command.resources == {"logo-1": ObjectRef(key=object_keys.watermark(command.tenant, "logo-1"))}


async def test_what_another_pass_measured_comes_as_a_resource_under_its_name(stage: Stage) -> None:
    video = await stage.upload(Recipe(steps=(Normalize(),)))
    await stage.quiet()
    command = await stage.start("probe")
    sound = AudioStream(index=1, codec="aac", sample_rate=48000, channels=2)
    await stage.says(word(TaskSucceeded, command, probe=facts().model_copy(update={"audio": (sound,)})))
    await stage.quiet()
    await stage.do("measure")
    output = (await stage.tasks_of(video))["measure"].outputs[0]
    normalize = await stage.command("normalize")
    assert isinstance(normalize.parameters, Edit)
    assert normalize.parameters.sound == SoundWork(target=-16, measured="measure")
    assert normalize.resources == {"measure": ObjectRef(key=output.key, size=10, sha256="0" * 64)}
    assert normalize.source.key == video.object_key


async def test_a_second_attempt_says_that_it_is_one(stage: Stage) -> None:
    await stage.upload()
    await stage.quiet()
    first = await stage.start("probe")
    await stage.says(word(TaskFailed, first, code="storage.unavailable", message="Away.", permanent=False))
    stage.now += timedelta(seconds=1)
    await stage.quiet()
    second = await stage.command("probe")
    assert (second.task_id, second.attempt) == (first.task_id, 2)
    await stage.says(word(TaskStarted, second, nonce="n2"))
