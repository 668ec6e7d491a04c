"""What one run has made, another one takes over; and it stays for as long as somebody has it."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from moviola import object_keys
from moviola.errors import StorageUnavailable
from moviola.infrastructure import Infrastructure
from moviola.messages import TaskCommand, TaskFailed, TaskSucceeded
from moviola.plan import FINDINGS_ONLY
from moviola.ports.object_storage import ObjectStorage, StoredObject
from moviola.ports.video_store import StoredWatermark
from moviola.quality import Check, Quality
from moviola.recipe import Recipe, parse_recipe
from moviola.settings import Settings
from moviola.topology import ORCHESTRATOR
from moviola.video import OutputFile, RunState, TaskState, Tenant, Video
from moviola_orchestrator.purge import purge
from tests.unit.moviola_orchestrator.scene import facts
from tests.unit.moviola_orchestrator.stage import Stage, word

BYTES, OTHER_BYTES = "a" * 64, "b" * 64
T = TaskState


def recipe(text: str = "A", **mark: object) -> Recipe:
    steps = [
        {"step": "trim", "end": 5},
        {"step": "resize", "height": 360},
        {"step": "watermark", **(mark or {"text": text})},
        {"step": "thumbnails"},
    ]
    return parse_recipe({"steps": steps})


ALL = ("probe", "trim", "resize", "watermark", "thumbnails", "verify")


class Unsteady:
    """The real storage, but before each listing something happens."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage
        self.before_listing: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage, name)

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        if self.before_listing is not None:
            await self.before_listing()
        async for stored in self._storage.list(prefix):
            yield stored


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"fusion": False})


@pytest.fixture
async def stage(opened: Infrastructure, settings: Settings) -> Stage:
    unsteady = Unsteady(opened.storage)
    stage = Stage(opened.bus, opened.store, unsteady, settings)  # type: ignore[arg-type]  # it passes on what it has not
    await stage.workers()
    return stage


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def upload(stage: Stage, wanted: Recipe | None = None, **changes: object) -> Video:
    video = await stage.upload(wanted or recipe(), **{"sha256": BYTES, **changes})  # type: ignore[arg-type]  # as there
    await stage.storage.put(object_keys.original(video.tenant, video.id), chunks(b"original"))
    await stage.quiet()
    return video


async def made(stage: Stage, command: TaskCommand, *, engine: str = "e1", nonce: str = "n1") -> TaskSucceeded:
    """A worker's answer, with objects that follow from what it read and what it did with it."""
    what = f"{command.kind} {command.parameters} {command.source.sha256}".encode()
    outputs = []
    for name in () if command.kind in FINDINGS_ONLY else command.files or ("video.mp4",):
        key = f"{command.output_prefix}{command.attempt}-{nonce}/{name}"
        stored = await stage.storage.put(key, chunks(what))
        digest = hashlib.sha256(what).hexdigest()
        outputs.append(OutputFile(name=name, key=key, size=stored.size, sha256=digest, content_type="video/mp4"))
    probe = facts() if command.kind == "probe" else None
    quality = Quality(checks=()) if command.kind == "verify" else None
    about = {"outputs": outputs, "probe": probe, "quality": quality, "engine": engine}
    return word(TaskSucceeded, command, nonce=nonce, **about)


async def do(stage: Stage, *kinds: str, engine: str = "e1") -> None:
    for kind in kinds:
        await stage.says(await made(stage, await stage.start(kind), engine=engine))


async def first(stage: Stage) -> Video:
    """A video that was done by work."""
    video = await upload(stage)
    await do(stage, *ALL)
    return await ready(stage, video)


async def ready(stage: Stage, video: Video) -> Video:
    run = await stage.run_of(video)
    assert (run.state, await stage.queued()) == (RunState.READY, {})
    for file in run.files:
        assert (await stage.storage.stat(file.key)).size == file.size
    return video


async def cached(stage: Stage, video: Video) -> set[str]:
    return {name for name, task in (await stage.tasks_of(video)).items() if task.cached}


async def delete(stage: Stage, *videos: Video) -> None:
    """Delete them one after the other, and let each be purged."""
    for video in videos:
        await stage.delete(video)
        for _ in range(2):  # what a purge lets go of is collected by the next sweep
            await stage.sweeper.sweep()
        await stage.quiet()


async def objects(stage: Stage) -> list[str]:
    return [one.key for prefix in ("originals/", "outputs/") async for one in stage.storage.list(prefix)]


async def test_the_same_bytes_again_are_ready_without_any_work(stage: Stage) -> None:
    one = await first(stage)

    two = await ready(stage, await upload(stage))

    assert await cached(stage, two) == set(ALL)
    for task in (await stage.tasks_of(two)).values():
        assert (task.state, task.worker, task.started_at, task.charged) == (T.SUCCEEDED, None, None, 0)
    run, other = await stage.run_of(one), await stage.run_of(two)
    assert (other.files, other.plan, other.probe) == (run.files, run.plan, run.probe)
    assert other.quality == run.quality == Quality(checks=())


async def test_the_history_says_whose_result_was_taken(stage: Stage) -> None:
    run = await stage.run_of(await first(stage))

    entries = await stage.history_of(await upload(stage))

    told = {entry.subject: entry for entry in entries if entry.state == T.SUCCEEDED}
    assert set(told) == set(ALL)
    assert told["trim"].cause == f"trim comes from the cache: the result of run {run.id}."
    assert {(entry.event, entry.worker, entry.attempt) for entry in told.values()} == {("task.cached", None, None)}
    states = [entry.state for entry in entries if entry.subject == "run"]
    assert states == [
        "uploaded", "probing", "trimming", "resizing", "watermarking", "thumbnailing", "verifying", "ready",
    ]  # fmt: skip


async def test_only_what_another_watermark_changes_is_done_again(stage: Stage) -> None:
    one = await first(stage)
    two = await upload(stage, recipe("B"))
    assert await cached(stage, two) == {"probe", "trim", "resize"}

    command = await stage.start("watermark")

    assert command.source.key == (await stage.tasks_of(one))["resize"].outputs[0].key
    await stage.says(await made(stage, command))
    await do(stage, "thumbnails", "verify")
    await ready(stage, two)


@pytest.mark.parametrize(
    "changes",
    [{"sha256": OTHER_BYTES}, {"sha256": None}, {"tenant": Tenant("theirs")}],
    ids=["bytes", "unknown", "tenant"],
)
async def test_what_is_not_the_same_is_done_again(stage: Stage, changes: dict[str, object]) -> None:
    await first(stage)
    video = await upload(stage, **changes)
    await do(stage, *ALL)
    assert await cached(stage, await ready(stage, video)) == set()


async def test_a_probe_tells_the_bytes_that_nobody_knew(stage: Stage) -> None:
    await first(stage)
    video = await upload(stage, sha256=None)
    answer = await made(stage, await stage.start("probe"))
    await stage.says(answer.model_copy(update={"source_sha256": BYTES}))
    assert await cached(stage, await ready(stage, video)) == set(ALL) - {"probe"}
    assert (await stage.run_of(video)).source_sha256 == BYTES


async def test_another_engine_makes_its_own(stage: Stage) -> None:
    await first(stage)
    await stage.workers(engine="e2")
    two = await upload(stage)
    await do(stage, *ALL, engine="e2")
    assert await cached(stage, await ready(stage, two)) == set()
    await stage.workers(engine="e1")
    assert await cached(stage, await ready(stage, await upload(stage))) == set(ALL)


async def test_an_engine_that_says_nothing_of_itself_is_no_reason_to_take_its_result(stage: Stage) -> None:
    video = await upload(stage)
    await do(stage, *ALL, engine="")
    await ready(stage, video)
    await upload(stage)
    assert await stage.queued() == {"probe": 1}


async def test_turned_off_it_gives_nothing(opened: Infrastructure, settings: Settings) -> None:
    stage = Stage(opened.bus, opened.store, opened.storage, settings.model_copy(update={"step_cache": False}))
    await stage.workers()
    await first(stage)
    await upload(stage)
    assert await stage.queued() == {"probe": 1}


async def test_the_same_image_under_another_name_is_the_same(stage: Stage) -> None:
    def stored(name: str, sha256: str) -> StoredWatermark:
        tenant = Tenant("default")
        return StoredWatermark(
            id=name, tenant=tenant, name="", content_type="image/png", size=1, sha256=sha256, created_at=stage.now
        )

    async with stage.store.transaction() as transaction:
        for watermark in (stored("one", "x"), stored("same", "x"), stored("other", "y")):
            await transaction.watermarks.add(watermark)
    await upload(stage, recipe(image="one"))
    await do(stage, *ALL)

    assert await cached(stage, await ready(stage, await upload(stage, recipe(image="same")))) == set(ALL)
    assert await cached(stage, await upload(stage, recipe(image="other"))) == {"probe", "trim", "resize"}
    assert await cached(stage, await upload(stage, recipe(image="unknown"))) == {"probe", "trim", "resize"}


async def test_equal_work_that_waits_for_its_turn_is_done_by_the_first(stage: Stage) -> None:
    videos = [await upload(stage) for _ in range(5)]
    assert await stage.queued() == {"probe": 2}
    await do(stage, "probe", "probe")
    assert [await cached(stage, video) for video in videos[3:]] == [{"probe"}] * 2
    while waiting := await stage.queued():
        await do(stage, *waiting)
    done = [await cached(stage, await ready(stage, video)) for video in videos]
    # Two may be on a queue while the third takes the place that the first has left.
    assert all(sum(name not in one for one in done) <= 3 for name in ALL)


async def test_two_at_the_same_time_both_work_and_both_are_right(stage: Stage) -> None:
    one, two = await upload(stage), await upload(stage)
    commands = [await stage.start("probe", nonce=nonce) for nonce in ("n1", "n2")]
    for command, nonce in zip(commands, ("n1", "n2"), strict=True):
        await stage.says(await made(stage, command, nonce=nonce))
    await do(
        stage,
        "trim",
        "trim",
        "resize",
        "resize",
        "watermark",
        "watermark",
        "thumbnails",
        "thumbnails",
        "verify",
        "verify",
    )
    assert await cached(stage, await ready(stage, one)) == await cached(stage, await ready(stage, two)) == set()
    assert await cached(stage, await ready(stage, await upload(stage))) == set(ALL)


# What is not there any more, or not as it was.


async def damage(stage: Stage, video: Video, name: str, how: str) -> None:
    key = (await stage.tasks_of(video))[name].outputs[0].key
    await stage.storage.delete(key)
    if how != "gone":
        await stage.storage.put(key, chunks(b"x" if how == "size" else b"x" * (await size_of(stage, video, name))))


async def size_of(stage: Stage, video: Video, name: str) -> int:
    return (await stage.tasks_of(video))[name].outputs[0].size


@pytest.mark.parametrize("how", ["gone", "size", "bytes"])
async def test_a_result_that_is_not_as_it_was_is_made_anew(stage: Stage, how: str) -> None:
    await damage(stage, await first(stage), "resize", how)
    two = await upload(stage)
    assert await cached(stage, two) == {"probe", "trim"}
    await do(stage, "resize")
    # It came out as before, and so did all that was made of it.
    assert await cached(stage, await ready(stage, two)) == set(ALL) - {"resize"}
    assert await cached(stage, await ready(stage, await upload(stage))) == set(ALL)


async def test_a_storage_that_does_not_answer_costs_work_and_nothing_else(stage: Stage) -> None:
    await first(stage)

    async def away() -> None:
        raise StorageUnavailable("The storage is away.")

    stage.storage.before_listing = away  # type: ignore[attr-defined]  # the tests' own
    two = await upload(stage)
    await do(stage, "trim", "resize", "watermark", "thumbnails")
    stage.storage.before_listing = None  # type: ignore[attr-defined]  # as above
    assert await cached(stage, await ready(stage, two)) == {"probe", "verify"}


@pytest.mark.parametrize("code", ["storage.input_missing", "storage.input_changed"])
async def test_a_result_that_vanishes_after_it_was_taken_is_made_anew(stage: Stage, code: str) -> None:
    one = await first(stage)
    two = await upload(stage, recipe("B"))
    command = await stage.start("watermark")
    await damage(stage, one, "resize", "gone")
    await damage(stage, one, "trim", "gone")

    await stage.says(word(TaskFailed, command, code=code, message="It is gone.", permanent=True))

    assert await stage.queued() == {"resize": 1}
    missing = await stage.start("resize")
    await stage.says(word(TaskFailed, missing, code=code, message="So is this.", permanent=True))
    assert (await stage.run_of(two)).state is RunState.TRIMMING
    await do(stage, "trim", "resize", "watermark", "thumbnails", "verify")
    assert await cached(stage, await ready(stage, two)) == {"probe"}
    # The run that had made them is as it was; what it made is not offered any more, the new ones are.
    await ready(stage, one)
    assert await cached(stage, await ready(stage, await upload(stage, recipe("B")))) == set(ALL)


async def test_a_result_that_is_found_bad_is_taken_by_nobody(stage: Stage) -> None:
    wrong = Quality(checks=(Check(name="frames", ok=False, expected="125", found="0", file="result.mp4"),))
    one = await upload(stage)
    await do(stage, *ALL[:-1])
    two = await upload(stage)
    assert await cached(stage, two) == set(ALL) - {"verify"}

    for _ in (one, two):
        await stage.says((await made(stage, await stage.start("verify"))).model_copy(update={"quality": wrong}))

    assert (await stage.run_of(one)).state is RunState.FAILED
    assert await stage.queued() == {"watermark": 1}  # the other one had it from there, and makes its own
    await do(stage, "watermark", "thumbnails", "verify")
    await ready(stage, two)
    assert await cached(stage, await ready(stage, await upload(stage))) == set(ALL)


async def test_an_original_that_is_gone_fails_the_video_all_the_same(stage: Stage) -> None:
    await first(stage)
    two = await upload(stage, recipe("B"))
    command = await stage.start("watermark")
    await stage.says(word(TaskFailed, command, code="storage.input_missing", message="Gone.", permanent=True))
    for kind in ("resize", "trim"):
        command = await stage.start(kind)
        await stage.says(word(TaskFailed, command, code="storage.input_missing", message="Gone.", permanent=True))
    run = await stage.run_of(two)
    assert (run.state, run.failure and run.failure.step) == (RunState.FAILED, "trim")


# Whose objects they are.


async def test_what_others_share_outlives_the_video_that_made_it(stage: Stage) -> None:
    one = await first(stage)
    two = await upload(stage)
    three = await upload(stage, recipe("B"))
    await do(stage, "watermark", "thumbnails", "verify")

    await delete(stage, one)

    for video in (two, three):
        await ready(stage, video)
    assert [key for key in await objects(stage) if key.startswith("originals") and one.id in key] == []
    await delete(stage, two)
    await ready(stage, three)
    kept = [key.split("/")[4] for key in await objects(stage) if one.id in key]
    assert sorted(kept) == ["resize", "trim"]
    await delete(stage, three)
    assert await objects(stage) == []


async def test_who_shares_leaves_the_other_ones_objects_alone(stage: Stage) -> None:
    one = await first(stage)
    await delete(stage, await upload(stage))
    await ready(stage, one)
    assert await cached(stage, await ready(stage, await upload(stage))) == set(ALL)


async def test_what_is_only_shared_any_more_is_taken_by_others_too(stage: Stage) -> None:
    one = await first(stage)
    two = await upload(stage)
    await delete(stage, one)
    three = await upload(stage)
    assert await cached(stage, await ready(stage, three)) == set(ALL)
    await delete(stage, two)
    await ready(stage, three)
    await delete(stage, three)
    assert await objects(stage) == []


async def test_both_deleted_at_once_leave_nothing(stage: Stage) -> None:
    videos = [await first(stage), await upload(stage), await upload(stage)]
    for video in videos:
        await stage.delete(video)
    await stage.sweeper.sweep()
    await stage.sweeper.sweep()
    assert await objects(stage) == []


async def test_a_video_that_is_purged_while_another_one_looks_is_not_taken_from(stage: Stage) -> None:
    one = await first(stage)

    async def purged() -> None:
        stage.storage.before_listing = None  # type: ignore[attr-defined]  # as above
        await stage.delete(one)
        assert await purge(one, stage.ledger, stage.storage)

    stage.storage.before_listing = purged  # type: ignore[attr-defined]  # as above
    two = await upload(stage)
    await do(stage, *ALL)
    assert await cached(stage, await ready(stage, two)) == set()
    await delete(stage, two)
    assert await objects(stage) == []


async def test_a_video_that_is_deleted_while_another_one_works_on_its_results_leaves_them(stage: Stage) -> None:
    one = await first(stage)
    two = await upload(stage, recipe("B"))
    command = await stage.start("watermark")
    await delete(stage, one)
    assert await stage.storage.stat(command.source.key)
    await stage.says(await made(stage, command))
    await do(stage, "thumbnails", "verify")
    await ready(stage, two)
    await delete(stage, two)
    assert await objects(stage) == []


# Crashes, and several at once.


@pytest.mark.parametrize("faults", [["before"], ["stale"], ["stale", "stale", "after"], ["after"]])
async def test_taking_over_survives_a_database_that_fails_at_any_point(stage: Stage, faults: list[str]) -> None:
    await first(stage)
    video = await stage.upload(recipe(), sha256=BYTES)
    await stage.relay.relay()
    doorbell = await stage.bus.take([ORCHESTRATOR])
    stage.store.faults = faults
    await stage.reactions.handle(doorbell, stage.stopping)
    assert stage.store.faults == []
    await stage.quiet()
    await ready(stage, video)
    states = [entry.state for entry in await stage.history_of(video) if entry.subject == "run"]
    assert (states.count("uploaded"), states.count("ready")) == (1, 1)


async def test_a_run_with_several_running_tasks_is_deleted_with_all_that_they_made(stage: Stage) -> None:
    steps = [{"step": "trim", "end": 5}, {"step": "thumbnails", "storyboard": True, "preview": True}]
    await stage.workers(capacity=3)
    video = await upload(stage, parse_recipe({"steps": steps}))
    await do(stage, "probe", "trim")
    commands = [await stage.start("thumbnails", nonce=f"n{number}") for number in range(3)]
    assert [task.state for task in (await stage.tasks_of(video)).values()].count(T.RUNNING) == 3
    answers = [await made(stage, command, nonce=f"n{number}") for number, command in enumerate(commands)]

    await stage.delete(video)
    await stage.sweeper.sweep()
    await stage.quiet()

    (stop,) = [one.envelope.message() for one in stage.bus.published if one.envelope.type == "tasks.cancel"]
    assert set(stop.task_ids) == {command.task_id for command in commands}  # type: ignore[attr-defined]  # it is one
    assert await objects(stage)
    # They were done before they heard of it; what they made goes with the rest.
    for answer in answers:
        await stage.says(answer)
    await delete(stage, video)
    assert await objects(stage) == []
