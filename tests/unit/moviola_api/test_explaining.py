"""Every reason for which a video can be where it is, in words and fields."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moviola.video import (
    DEFAULT_TENANT,
    Failure,
    RunState,
    Task,
    TaskState,
    Video,
    VideoId,
    VideoState,
    Worker,
)
from moviola_api.explaining import Explanation, explain
from moviola_api.progress import Glimpse
from moviola_api.waiting import Circumstances
from moviola_api.wording import clock, count, ordinal
from tests.unit.moviola_api.samples import a_run, a_task

NOW = datetime(2026, 1, 2, 12, 4, 0, tzinfo=UTC)
AWAY = Failure(code="storage.unavailable", step="render", message="The storage is away.")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def video(**wanted: Any) -> Video:
    usual: dict[str, Any] = {
        "id": VideoId("v1"),
        "tenant": DEFAULT_TENANT,
        "state": VideoState.UPLOADED,
        "title": "",
        "filename": "",
        "content_type": "video/mp4",
        "object_key": "k",
        "created_at": at(-60),
        "updated_at": at(-60),
    }
    return Video(**usual | wanted)


def worker(name: str = "w1", *, kinds: tuple[str, ...] = ("render",), seen: float = -1) -> Worker:
    return Worker(id=name, kinds=kinds, version="1", capacity=1, seen_at=at(seen))


def explained(state: RunState = RunState.RENDERING, task: Task | None = None, **around: Any) -> Explanation:
    """A run in *state* with a render as *task* says; two workers, and a place in the queue of three."""
    run = replace(a_run(), state=state, failure=around.pop("failure", None))
    tasks = (task,) if task is not None else ()
    usual: dict[str, Any] = {
        "now": NOW,
        "video": video(),
        "latest": run,
        "since": at(-30),
        "tasks": tasks,
        "workers": (worker("w1"), worker("w2")),
        "places": {one.id: 3 for one in tasks},
    }
    return explain(Circumstances(**usual | around))


def a_render(state: TaskState, **wanted: Any) -> Task:
    return replace(a_task(a_run(), "render", state), **wanted)


PENDING = a_render(TaskState.PENDING, started_at=None)
RUNNING = a_render(TaskState.RUNNING, worker="w1", started_at=at(-20), lease_until=at(5))


def test_a_task_that_waits_tells_its_place_and_the_workers() -> None:
    explanation = explained(task=PENDING)

    assert (explanation.reason, explanation.since) == ("task.waiting", at(-30))
    assert explanation.sentence == "render is third in `render`; two workers alive."
    [one] = explanation.passes
    assert (one.position, one.workers, one.state) == (3, 2, "pending")


def test_a_task_that_runs_tells_its_worker_and_lease() -> None:
    explanation = explained(task=RUNNING, live={"render": Glimpse(0.43)})

    assert explanation.reason == "task.running"
    assert explanation.sentence == (
        "Worker w1 runs render since 12:03:40 UTC, 43% done; lease of attempt 1 until 12:04:05 UTC."
    )
    [one] = explanation.passes
    assert (one.worker, one.worker_seen_at, one.progress, one.lease_until) == ("w1", at(-1), 0.43, at(5))


def test_progress_of_an_earlier_attempt_is_not_told() -> None:
    [one] = explained(task=replace(RUNNING, attempt=2), live={"render": Glimpse(0.43)}).passes
    assert one.progress is None


def test_a_lease_that_has_passed_is_told_as_such() -> None:
    explanation = explained(task=replace(RUNNING, lease_until=at(-1)))

    assert explanation.reason == "task.lease_passed"
    assert "passed at 12:03:59 UTC" in explanation.sentence


def test_a_task_that_backs_off_tells_until_when_and_after_what() -> None:
    task = replace(PENDING, attempt=2, not_before=at(60), failure=AWAY)

    explanation = explained(task=task, places={})

    assert explanation.reason == "task.backing_off"
    assert explanation.sentence == "render waits until 12:05:00 UTC (attempt 2 after storage.unavailable)."
    assert explanation.passes[0].failure == AWAY


def test_a_command_that_nobody_has_started_is_told() -> None:
    explanation = explained(task=replace(PENDING, state=TaskState.DISPATCHED, dispatched_at=at(-3)))

    assert explanation.reason == "task.dispatched"
    assert "dispatched at 12:03:57 UTC and nobody has started it yet; two workers alive" in explanation.sentence


def test_a_kind_without_a_live_worker_tells_since_when() -> None:
    explanation = explained(task=PENDING, workers=(worker(seen=-240), worker("other", kinds=("probe",))))

    assert explanation.reason == "worker.none_alive"
    assert "No worker for `render` is alive since 12:00:00 UTC." in explanation.sentence
    assert explanation.advice == "Start a worker for it."


def test_a_kind_that_no_worker_ever_took_tells_how_to_start_one() -> None:
    assert "moviola worker --steps render" in explained(task=PENDING, workers=()).sentence


@pytest.mark.parametrize("task", [PENDING, None])
def test_a_bus_that_is_away_is_the_reason_before_all_others(task: Task | None) -> None:
    run = {} if task else {"latest": None}
    explanation = explained(task=task, bus_here=False, workers=(), unsent_since=at(-99), **run)

    assert (explanation.reason, explanation.bus_connected) == ("bus.away", False)
    assert "The message bus is away" in explanation.sentence or "the message bus is away" in explanation.sentence


def test_what_runs_goes_on_though_the_bus_is_away() -> None:
    assert explained(task=RUNNING, bus_here=False).reason == "task.running"


@pytest.mark.parametrize("task", [PENDING, None])
def test_messages_that_nobody_relays_tell_of_a_missing_orchestrator(task: Task | None) -> None:
    run = {} if task else {"latest": None}
    assert explained(task=task, unsent_since=at(-16), **run).reason == "orchestrator.away"
    assert explained(task=task, unsent_since=at(-14), **run).reason in ("task.waiting", "run.beginning")


def test_an_upload_that_has_not_ended_is_told() -> None:
    explanation = explained(latest=None, video=video(state=VideoState.WAITING_UPLOAD))

    assert (explanation.reason, explanation.status) == ("upload.unfinished", "waiting_upload")


def test_a_cancel_tells_for_whom_it_waits() -> None:
    explanation = explained(RunState.CANCELING, RUNNING)

    assert explanation.reason == "run.canceling"
    assert "waits for worker w1 to stop render (lease until 12:04:05 UTC)" in explanation.sentence


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("media.corrupt", "file itself"),
        ("media.too_long", "published limit"),
        ("storage.input_changed", "announce it again"),
        ("worker.lost", "another try"),
        ("worker.crashed", "hostile"),
    ],
)
def test_a_failure_tells_where_why_and_what_can_be_done(code: str, advice: str) -> None:
    failure = Failure(code=code, step="render", message="It broke.")

    explanation = explained(RunState.FAILED, failure=failure)

    assert (explanation.reason, explanation.status, explanation.failure) == ("run.failed", "failed", failure)
    assert explanation.sentence == f"It failed at render at 12:03:30 UTC: {code}: It broke."
    assert explanation.advice is not None
    assert advice in explanation.advice


def test_a_failed_reprocessing_leaves_a_ready_video_ready() -> None:
    failure = Failure(code="media.corrupt", step="render", message="It broke.")

    explanation = explained(RunState.FAILED, failure=failure, serving=replace(a_run(), number=4))

    assert (explanation.status, explanation.failure, explanation.last_run_failure) == ("ready", None, failure)
    assert explanation.sentence.endswith("The files of run 4 stay as they are.")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (RunState.READY, "It is ready since 12:03:30 UTC."),
        (RunState.CANCELED, "It was canceled at 12:03:30 UTC."),
        (RunState.THUMBNAILING, "Its passes are done; what follows is being decided."),
    ],
)
def test_other_states_are_told_as_they_are(state: RunState, sentence: str) -> None:
    assert explained(state, a_render(TaskState.SUCCEEDED, finished_at=at(-1))).sentence == sentence


@pytest.mark.parametrize("state", list(TaskState))
def test_every_state_of_a_task_has_a_sentence(state: TaskState) -> None:
    [one] = explained(task=a_render(state, finished_at=at(-1), failure=AWAY)).passes
    assert one.sentence.endswith(".")
    assert one.sentence.count("None") == 0 or state is TaskState.RUNNING


def test_numbers_and_times_are_in_words() -> None:
    assert [ordinal(n) for n in (1, 3, 10, 11, 12, 21, 22, 113)] == [
        "first", "third", "tenth", "11th", "12th", "21st", "22nd", "113th",
    ]  # fmt: skip
    assert [count(n, "worker") for n in (0, 1, 2, 9)] == ["no worker", "one worker", "two workers", "9 workers"]
    assert clock(at(0), NOW) == "12:04:00 UTC"
    assert clock(at(-86400), NOW) == "2026-01-01 12:04:00 UTC"
