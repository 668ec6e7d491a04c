"""The orchestrator as it runs: all its loops, alone and as two replicas, with workers of the tests' own on the bus."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog

from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.messages import TaskCanceled, TaskCommand, TaskStarted, VideoCancelRequested, VideoUploaded, WorkerAlive
from moviola.plan import KINDS
from moviola.ports.message_bus import post
from moviola.recipe import SHOWCASE
from moviola.settings import Settings
from moviola.topology import CONTROL, EVENTS, task_queue
from moviola.video import RunState, TaskState, Video, new_id, utc_now
from moviola_orchestrator.serve import run_orchestrator, serve
from tests.unit.moviola_orchestrator.scene import uploaded_video
from tests.unit.moviola_orchestrator.stage import result, word

QUEUES = [task_queue(kind) for kind in KINDS]
END = ["video.ready", "video.failed", "video.canceled"]


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What is found by looking now and then is found after ten minutes only: here all has to go by what is heard."""
    monkeypatch.setattr("moviola_orchestrator.outbox.LOOK_AGAIN_SECONDS", 600.0)
    return settings.model_copy(update={"sweep_seconds": 600.0})


@asynccontextmanager
async def orchestrating(
    opened: Infrastructure, settings: Settings, *, replicas: int = 1, alone: bool = False
) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(replicas):
            group.create_task(
                run_orchestrator(opened.bus, opened.store, opened.storage, settings, stopping=stopping, alone=alone)
            )
        try:
            yield
        finally:
            stopping.set()


async def upload(opened: Infrastructure) -> Video:
    video = uploaded_video(SHOWCASE, video_id=new_id(), at=utc_now())
    async with opened.store.transaction() as transaction:
        await transaction.videos.add(video)
        await transaction.outbox.add([post(VideoUploaded(video_id=video.id, tenant=video.tenant))])
    return video


async def announce(opened: Infrastructure, name: str = "w1") -> None:
    await opened.bus.publish([post(WorkerAlive(worker=name, kinds=KINDS, version="1", capacity=2))])


async def work(opened: Infrastructure, name: str = "w1") -> None:
    """A worker that does well, for ever."""
    await announce(opened, name)
    while True:
        delivery = await opened.bus.take(QUEUES)
        command = delivery.envelope.message()
        assert isinstance(command, TaskCommand)
        nonce = new_id()
        await opened.bus.publish([post(word(TaskStarted, command, worker=name, nonce=nonce))])
        await delivery.ack()
        await opened.bus.publish([post(result(command, worker=name, nonce=nonce))])


@asynccontextmanager
async def working(opened: Infrastructure, count: int = 1) -> AsyncIterator[None]:
    workers = [asyncio.create_task(work(opened, f"w{number}")) for number in range(count)]
    try:
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def test_a_video_is_ready_a_moment_after_its_upload(opened: Infrastructure, settings: Settings) -> None:
    async with (
        opened.bus.listen(EVENTS, END) as ends,
        orchestrating(opened, settings, alone=True),
        working(opened),
        asyncio.timeout(60),  # less than a sweep's interval: nothing waits for it
    ):
        video = await upload(opened)
        end = await anext(ends)
    assert (end.type, end.correlation_id) == ("video.ready", video.id)


async def finish_ten_videos(opened: Infrastructure, settings: Settings) -> None:
    """With two replicas and two workers; and nothing was done twice."""
    async with (
        opened.bus.listen(EVENTS, END) as ends,
        orchestrating(opened, settings, replicas=2),
        working(opened, 2),
        asyncio.timeout(120),
    ):
        videos = [(await upload(opened)).id for _ in range(10)]
        told = [await anext(ends) for _ in videos]
    assert {end.type for end in told} == {"video.ready"}
    assert sorted(str(end.correlation_id) for end in told) == sorted(videos)
    async with opened.store.snapshot() as view:
        assert await view.outbox.pending() == (0, None)
        for video_id in videos:
            run = await view.runs.latest(video_id)
            assert run is not None
            assert {task.attempt for task in await view.tasks.of_run(run.id)} == {1}
            states = [entry.state for entry in await view.history.of_video(video_id) if entry.subject == "run"]
            assert states == ["uploaded", "probing", "rendering", "thumbnailing", "verifying", "ready"]


async def test_two_replicas_and_two_workers_double_nothing(opened: Infrastructure, settings: Settings) -> None:
    await finish_ten_videos(opened, settings)


async def test_a_lone_process_that_restarts_finishes_what_was_running(
    opened: Infrastructure, settings: Settings
) -> None:
    async with orchestrating(opened, settings, alone=True), asyncio.timeout(60):
        await announce(opened)
        video = await upload(opened)
        delivery = await opened.bus.take(QUEUES)
        command = delivery.envelope.message()
        assert isinstance(command, TaskCommand)
        async with opened.bus.listen(EVENTS, ["video.state_changed"]) as changes:
            await opened.bus.publish([post(word(TaskStarted, command))])
            await anext(changes)
    async with open_infrastructure(settings, parts=("bus", "store", "storage")) as again:
        async with (
            again.bus.listen(EVENTS, END) as ends,
            orchestrating(again, settings, alone=True),
            working(again),
            asyncio.timeout(60),
        ):
            assert (await anext(ends)).type == "video.ready"
        async with again.store.snapshot() as view:
            run = await view.runs.latest(video.id)
            assert run is not None
            tasks = {task.name: (task.attempt, task.charged) for task in await view.tasks.of_run(run.id)}
    assert tasks == {"probe": (2, 0), "render": (1, 0), "thumbnails": (1, 0), "verify": (1, 0)}


async def test_a_running_task_is_canceled_within_a_moment(opened: Infrastructure, settings: Settings) -> None:
    async with (
        opened.bus.listen(EVENTS, [*END, "video.state_changed"]) as told,
        opened.bus.listen(CONTROL, [""]) as hints,
        orchestrating(opened, settings, alone=True),
        asyncio.timeout(60),
    ):
        await announce(opened)
        video = await upload(opened)
        command = (await opened.bus.take(QUEUES)).envelope.message()
        assert isinstance(command, TaskCommand)
        await opened.bus.publish([post(word(TaskStarted, command))])
        await opened.bus.publish([post(VideoCancelRequested(video_id=video.id, tenant=video.tenant))])
        assert command.task_id in (await anext(hints)).body.decode()
        await opened.bus.publish([post(word(TaskCanceled, command))])
        async for one in told:
            if one.type in END:
                break
    assert one.type == "video.canceled"
    async with opened.store.snapshot() as view:
        run = await view.runs.latest(video.id)
        assert run is not None
        assert run.state is RunState.CANCELED
        assert [task.state for task in await view.tasks.of_run(run.id)] == [TaskState.CANCELED]


async def test_it_stops_at_once_when_it_is_told_to(opened: Infrastructure, settings: Settings) -> None:
    async with asyncio.timeout(60):  # its loops sleep for ten minutes
        async with orchestrating(opened, settings, replicas=2):
            await upload(opened)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """A service sets logging up for its whole process, and this one has other tests in it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_service_migrates_and_ends_at_a_signal(
    settings: Settings, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = asyncio.create_task(serve(settings))
    async with asyncio.timeout(60), open_infrastructure(settings, parts=("store",)) as opened:
        await opened.store.migrate()  # under the same lock: when it returns, somebody has
        await opened.store.check()
        os.kill(os.getpid(), number)
        await serving
    assert "the orchestrator has stopped" in capsys.readouterr().err
