"""What each event makes of a run, one after the other; the orders of events are tried in `test_orders`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from moviola.messages import (
    CancelTasks,
    TaskCanceled,
    TaskFailed,
    TaskHeartbeat,
    TaskReleased,
    TaskStarted,
    TaskSucceeded,
    VideoCanceled,
    VideoFailed,
    VideoReady,
    VideoStateChanged,
)
from moviola.probe import AudioStream, Loudness
from moviola.quality import Check, Quality
from moviola.recipe import PreviewWish, Recipe, StoryboardWish, Thumbnails, Trim, parse_recipe
from moviola.video import Failure, RunState, Status, TaskState
from moviola_orchestrator.decision import Policy, Snapshot
from moviola_orchestrator.happenings import (
    CancelRequested,
    DeadlinePassed,
    DeleteRequested,
    Dispatch,
    LeaseExpired,
    Restarted,
    Unclaimed,
    WorkerWord,
)
from tests.unit.moviola_orchestrator.scene import Scene, facts, uploaded_video

R, T = RunState, TaskState


def scene(*steps: dict[str, object], fusion: bool = True, policy: Policy | None = None) -> Scene:
    return Scene(uploaded_video(parse_recipe({"steps": list(steps)})), policy or Policy(fusion=fusion))


# How a run goes when all goes well.


def test_a_run_begins_uploaded_with_a_probe_task_that_waits() -> None:
    one = Scene()
    assert one.state is R.UPLOADED
    assert one.task_states() == {"probe": T.PENDING}
    assert one.run_states() == [R.UPLOADED]


def test_a_run_is_queued_until_a_worker_starts() -> None:
    one = Scene()
    one.dispatches("probe")
    assert one.state is R.UPLOADED
    one.starts("probe")
    assert one.state is R.PROBING


def test_a_fused_run_is_told_state_by_state() -> None:
    one = Scene()
    one.does("probe", "render", "thumbnails", "verify")
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.RENDERING, R.THUMBNAILING, R.VERIFYING, R.READY]
    ready = one.told[-1]
    assert isinstance(ready, VideoReady)
    assert [file.name for file in ready.files] == ["result.mp4", "poster.jpg"]
    assert ready.files == one.run.files


def test_without_fusion_each_step_has_its_state_in_the_recipes_order() -> None:
    one = scene({"step": "mute"}, {"step": "resize", "height": 360}, {"step": "trim", "end": 5}, fusion=False)
    one.does("probe", "mute", "resize", "trim", "verify")
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.MUTING, R.RESIZING, R.TRIMMING, R.VERIFYING, R.READY]
    assert [(file.name, "/trim/" in file.key) for file in one.run.files] == [("result.mp4", True)]


def test_two_steps_of_one_kind_in_a_row_are_one_state() -> None:
    one = scene({"step": "trim", "end": 50}, {"step": "trim", "end": 5}, fusion=False)
    one.does("probe", "trim", "trim-2", "verify")
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.TRIMMING, R.VERIFYING, R.READY]


def test_a_video_without_a_recipe_is_ready_when_it_is_probed() -> None:
    one = Scene(uploaded_video(None))
    one.does("probe")
    assert one.state is R.READY
    assert one.run.files == ()
    assert one.run.probe == facts()


def test_sound_is_measured_before_it_is_normalized_and_its_figures_are_kept() -> None:
    sound = AudioStream(index=1, codec="aac", sample_rate=48000, channels=2)
    one = scene({"step": "normalize"}, {"step": "thumbnails"})
    one.starts("probe")
    probe = facts().model_copy(update={"audio": (sound,)})
    one.happens(one.word(TaskSucceeded, "probe", probe=probe))
    assert one.task_states() == {"probe": T.SUCCEEDED, "measure": T.PENDING}

    one.starts("measure")
    loudness = Loudness(integrated=-23.0, true_peak=-4.0, range=3.0)
    one.happens(one.result("measure").model_copy(update={"loudness": loudness}))
    one.does("normalize", "thumbnails", "verify")

    states = [R.UPLOADED, R.PROBING, R.MEASURING, R.NORMALIZING, R.THUMBNAILING, R.VERIFYING, R.READY]
    assert one.run_states() == states
    assert one.run.probe == probe.model_copy(update={"loudness": loudness})
    assert [file.name for file in one.run.files] == ["loudness.json", "result.mp4", "poster.jpg"]


LOST = Check(name="frame_count", ok=False, expected="50", found="12", file="result.mp4")
FINE = Check(name="container", ok=True, expected="mp4", found="mp4", file="result.mp4")


def test_a_result_that_does_not_pass_its_checks_fails_the_run_and_the_report_stays() -> None:
    one = Scene()
    one.does("probe", "render", "thumbnails")
    one.starts("verify")
    report = Quality(checks=(FINE, LOST))
    one.happens(one.result("verify").model_copy(update={"quality": report}))
    assert one.state is R.FAILED
    assert one.task_states()["verify"] is T.FAILED
    assert one.run.quality == report
    message = "The result did not pass its checks: result.mp4: frame_count is 12 instead of 50."
    assert one.run.failure == Failure(code="worker.bad_output", step="verify", message=message)
    assert one.run.files == ()


def test_a_report_with_warnings_only_stays_with_a_ready_run() -> None:
    one = Scene()
    one.does("probe", "render", "thumbnails")
    one.starts("verify")
    report = Quality(checks=(FINE, LOST.model_copy(update={"level": "warning"})))
    one.happens(one.result("verify").model_copy(update={"quality": report}))
    assert (one.state, one.run.quality) == (R.READY, report)


def test_a_look_at_the_result_that_found_nothing_is_no_success() -> None:
    one = Scene()
    one.does("probe", "render", "thumbnails")
    one.starts("verify")
    one.happens(one.result("verify").model_copy(update={"quality": None}))
    assert one.task("verify").failure == Failure(
        code="worker.bad_result", step="verify", message="The worker found nothing, and said that it succeeded."
    )


def test_a_pass_waits_for_its_source() -> None:
    one = Scene()
    one.does("probe")
    assert one.task_states() == {"probe": T.SUCCEEDED, "render": T.PENDING}
    one.does("render")
    assert one.task_states()["thumbnails"] is T.PENDING


def test_passes_that_do_not_need_each_other_run_side_by_side() -> None:
    one = Scene(uploaded_video(Recipe(steps=(Thumbnails(storyboard=StoryboardWish()),))))
    one.does("probe")
    one.starts("thumbnails-storyboard", worker="w2", nonce="n2")
    one.starts("thumbnails")
    assert one.task_states() == {"probe": T.SUCCEEDED, "thumbnails": T.RUNNING, "thumbnails-storyboard": T.RUNNING}
    one.happens(one.result("thumbnails-storyboard", worker="w2", nonce="n2"))
    assert one.state is R.THUMBNAILING
    one.happens(one.result("thumbnails"))
    assert one.state is R.READY


def test_each_entry_says_what_it_was_what_it_became_and_why() -> None:
    one = Scene()
    one.does("probe")
    entry = next(e for e in one.entries if e.subject == "probe" and e.state == "succeeded")
    assert (entry.previous, entry.event, entry.worker, entry.attempt) == ("running", "task.succeeded", "w1", 1)
    assert entry.cause == "Worker w1 finished probe, attempt 1."
    assert [e.id for e in one.entries] == sorted(e.id for e in one.entries)


def test_a_state_change_has_the_id_of_its_entry() -> None:
    one = Scene()
    one.does("probe", "render", "thumbnails", "verify")
    told = [(m.entry_id, m.previous, m.state) for m in one.told if isinstance(m, VideoStateChanged)]
    assert told == [(e.id, e.previous, e.state) for e in one.entries if e.subject == "run"]


def test_a_ready_video_is_told_as_ready_while_it_is_processed_again() -> None:
    one = Scene()
    one.snapshot = Snapshot(one.run, one.snapshot.tasks, serving=True)
    one.starts("probe")
    change = one.told[-1]
    assert isinstance(change, VideoStateChanged)
    assert (change.state, change.status) == (R.PROBING, Status.READY)


# The fence.


def test_a_success_that_overtakes_its_start_counts() -> None:
    one = Scene()
    one.dispatches("probe")
    one.happens(one.result("probe"))
    assert one.task("probe").state is T.SUCCEEDED
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.RENDERING]
    assert not one.happens(one.word(TaskStarted, "probe")).changed


def test_the_first_to_start_owns_the_attempt_and_the_second_is_stopped() -> None:
    one = Scene()
    one.starts("probe", worker="w1", nonce="n1")
    second = one.happens(one.word(TaskStarted, "probe", worker="w2", nonce="n2"))
    assert not second.changed
    assert second.messages == (CancelTasks(task_ids=(one.task("probe").id,), except_nonce="n1"),)
    assert one.task("probe").worker == "w1"


def test_the_result_of_a_second_worker_is_refused() -> None:
    one = Scene()
    one.starts("probe", nonce="n1")
    refused = one.happens(one.result("probe", worker="w2", nonce="n2"))
    assert not refused.changed
    assert refused.refused == "worker w1 owns this attempt"
    assert one.task("probe").state is T.RUNNING


@pytest.mark.parametrize("kind", [TaskSucceeded, TaskReleased, TaskCanceled, TaskStarted, TaskHeartbeat])
def test_a_word_about_an_earlier_attempt_is_refused(kind: type) -> None:
    one = Scene()
    one.starts("probe")
    word: WorkerWord = one.word(kind, "probe", progress=0.5, probe=facts())
    one.later(31)
    one.happens(LeaseExpired(one.task("probe").id))
    one.starts("probe", worker="w2", nonce="n2")
    refused = one.happens(word)
    assert not refused.changed
    assert refused.refused == "attempt 1 is over, 2 is the current one"
    assert one.task("probe").worker == "w2"


def test_who_works_on_a_lost_attempt_is_stopped_when_it_speaks() -> None:
    one = Scene()
    one.starts("probe")
    zombie = one.word(TaskHeartbeat, "probe", progress=0.5)
    one.later(31)
    one.happens(LeaseExpired(one.task("probe").id))
    assert one.happens(zombie).messages == ()  # nobody owns attempt 2 yet: a hint could hit the wrong one
    one.starts("probe", worker="w2", nonce="n2")
    assert one.happens(zombie).messages == (CancelTasks(task_ids=(one.task("probe").id,), except_nonce="n2"),)


def test_the_owner_of_a_later_attempt_has_the_others_stopped() -> None:
    one = Scene()
    one.starts("probe")
    one.later(31)
    one.happens(LeaseExpired(one.task("probe").id))
    started = one.starts("probe", worker="w2", nonce="n2")
    assert CancelTasks(task_ids=(one.task("probe").id,), except_nonce="n2") in started.messages


def test_a_heartbeat_of_an_attempt_without_owner_is_a_start() -> None:
    one = Scene()
    one.dispatches("probe")
    one.happens(one.word(TaskHeartbeat, "probe", progress=0.1))
    assert (one.task("probe").state, one.task("probe").nonce) == (T.RUNNING, "n1")


def test_a_word_about_a_task_that_nobody_knows_stops_its_sender() -> None:
    one = Scene()
    one.starts("probe")
    word = one.word(TaskHeartbeat, "probe", progress=0.5).model_copy(update={"task_id": "nobody"})
    decision = one.happens(word)
    assert not decision.changed
    assert decision.messages == (CancelTasks(task_ids=("nobody",)),)


def test_duplicates_change_nothing() -> None:
    one = Scene()
    one.dispatches("probe")
    started, result = one.word(TaskStarted, "probe"), one.result("probe")
    one.happens(started)
    assert not one.happens(started).changed
    one.happens(result)
    for again in (result, started, result):
        decision = one.happens(again)
        assert not decision.changed
        assert decision.messages == ()


# Bad ends of attempts.


def test_a_permanent_failure_fails_the_run_at_once() -> None:
    one = Scene()
    one.fails("probe", "media.unrecognized", permanent=True)
    assert one.state is R.FAILED
    failed = one.told[-1]
    assert isinstance(failed, VideoFailed)
    assert (failed.failure.code, failed.failure.step, failed.failure.message) == (
        "media.unrecognized",
        "probe",
        "It broke.",
    )
    assert one.run.finished_at == one.now


def test_a_failing_run_calls_its_other_tasks_off() -> None:
    one = Scene(uploaded_video(Recipe(steps=(Thumbnails(storyboard=StoryboardWish(), preview=PreviewWish()),))))
    one.does("probe")
    one.starts("thumbnails-storyboard", nonce="n2")
    lease = one.task("thumbnails-storyboard").lease_until
    decision = one.fails("thumbnails", "media.corrupt", permanent=True)
    assert one.task_states() == {
        "probe": T.SUCCEEDED,
        "thumbnails": T.FAILED,
        "thumbnails-storyboard": T.CANCELED,
        "thumbnails-preview": T.CANCELED,
    }
    assert CancelTasks(task_ids=(one.task("thumbnails-storyboard").id,)) in decision.messages
    assert one.task("thumbnails-storyboard").lease_until == lease  # the worker may write until then


def test_a_transient_failure_backs_off_with_full_jitter() -> None:
    one = Scene(policy=Policy(retry_base_seconds=1, retry_cap_seconds=3))
    waits = []
    for _ in range(4):
        one.fails("probe", jitter=0.5)
        held = one.task("probe").not_before
        assert held is not None
        waits.append((held - one.now).total_seconds())
    assert waits == [0.5, 1.0, 1.5, 1.5]
    assert one.task("probe").attempt == 5
    assert one.state is R.PROBING


def test_a_task_that_is_held_back_is_not_dispatched() -> None:
    one = Scene()
    one.fails("probe", jitter=1.0)
    assert not one.dispatches("probe").changed
    one.later(1)
    assert one.dispatches("probe").changed


def test_transient_failures_end_after_the_last_try_with_the_last_code() -> None:
    one = Scene(policy=Policy(retry_tries=3))
    for _ in range(3):
        one.fails("probe", "storage.unavailable")
    assert one.state is R.FAILED
    assert one.run.failure is not None
    assert one.run.failure.code == "storage.unavailable"
    assert one.task("probe").charged == 3


def test_crashes_end_after_exactly_three() -> None:
    one = Scene()
    for crash in (1, 2):
        one.fails("probe", "worker.crashed", crashed=True)
        assert (one.state, one.task("probe").crashes) == (R.PROBING, crash)
    one.fails("probe", "worker.crashed", crashed=True)
    assert one.state is R.FAILED
    assert one.run.failure is not None
    assert one.run.failure.code == "worker.crashed"


def test_crashes_and_other_failures_are_counted_apart() -> None:
    one = Scene()
    for crashed in (True, False, True, False):
        one.fails("probe", crashed=crashed)
    assert one.state is R.PROBING
    assert (one.task("probe").charged, one.task("probe").crashes) == (4, 2)


@pytest.mark.parametrize("kind", [TaskReleased, TaskCanceled])
def test_an_attempt_handed_back_is_not_charged(kind: type) -> None:
    one = Scene()
    one.starts("probe")
    one.happens(one.word(kind, "probe"))
    task = one.task("probe")
    assert (task.state, task.attempt, task.charged, task.not_before) == (T.PENDING, 2, 0, None)
    assert (task.worker, task.nonce, task.lease_until, task.started_at) == (None, None, None, None)


def test_a_failure_that_overtakes_its_start_counts() -> None:
    one = Scene()
    one.dispatches("probe")
    one.happens(one.word(TaskFailed, "probe", code="media.corrupt", message="Bad.", permanent=True))
    assert one.state is R.FAILED


def test_a_success_without_facts_is_a_failed_attempt() -> None:
    one = Scene()
    one.starts("probe")
    one.happens(one.word(TaskSucceeded, "probe"))
    assert (one.task("probe").state, one.task("probe").charged) == (T.PENDING, 1)


@pytest.mark.parametrize(
    "change", [{"key": "outputs/other/v9/r/render/1-n/result.mp4"}, {"name": "something.mp4"}, None]
)
def test_a_result_that_is_not_the_passes_is_a_failed_attempt(change: dict[str, str] | None) -> None:
    one = Scene()
    one.does("probe")
    one.starts("render")
    good = one.result("render")
    outputs = [file.model_copy(update=change) for file in good.outputs] if change else []
    one.happens(one.word(TaskSucceeded, "render", outputs=outputs))
    task = one.task("render")
    assert (task.state, task.charged) == (T.PENDING, 1)
    assert task.failure is not None
    assert task.failure.code == "worker.bad_result"


def test_a_recipe_that_does_not_fit_the_file_fails_at_the_step_that_does_not() -> None:
    one = Scene(uploaded_video(Recipe(steps=(Thumbnails(), Trim(start=90)))))
    one.does("probe")
    assert one.state is R.FAILED
    assert one.run.failure is not None
    assert (one.run.failure.code, one.run.failure.step) == ("recipe.start_beyond_end", "trim")
    assert "90 s" in one.run.failure.message
    assert one.run.probe == facts()


# What the clock finds.


def test_a_start_begins_the_lease() -> None:
    one = Scene(policy=Policy(lease_seconds=30))
    one.starts("probe")
    assert one.task("probe").lease_until == one.now + timedelta(seconds=30)


def test_an_expired_lease_is_charged_and_tried_again_at_once() -> None:
    one = Scene()
    one.starts("probe")
    one.later(30)
    decision = one.happens(LeaseExpired(one.task("probe").id))
    task = one.task("probe")
    assert (task.state, task.attempt, task.charged, task.crashes, task.not_before) == (T.PENDING, 2, 1, 0, None)
    assert decision.messages == (CancelTasks(task_ids=(task.id,)),)


def test_a_lease_that_was_renewed_meanwhile_does_not_expire() -> None:
    one = Scene()
    one.starts("probe")
    one.later(29)
    assert not one.happens(LeaseExpired(one.task("probe").id)).changed


def test_a_worker_lost_too_often_fails_the_run() -> None:
    one = Scene(policy=Policy(retry_tries=2))
    for _ in range(2):
        one.starts("probe")
        one.later(31)
        one.happens(LeaseExpired(one.task("probe").id))
    assert one.run.failure is not None
    assert one.run.failure.code == "worker.lost"


def test_a_passed_deadline_fails_the_run_and_stops_the_worker() -> None:
    one = Scene(policy=Policy(deadline_seconds=100))
    one.starts("probe")
    one.later(99)
    assert not one.happens(DeadlinePassed(one.task("probe").id)).changed
    one.later(1)
    decision = one.happens(DeadlinePassed(one.task("probe").id))
    assert one.run.failure is not None
    assert one.run.failure.code == "worker.deadline_exceeded"
    assert CancelTasks(task_ids=(one.task("probe").id,)) in decision.messages


def test_an_unclaimed_task_waits_again_as_the_same_attempt() -> None:
    one = Scene()
    one.dispatches("probe")
    one.happens(Unclaimed(one.task("probe").id))
    assert (one.task("probe").state, one.task("probe").attempt, one.task("probe").charged) == (T.PENDING, 1, 0)
    one.happens(one.word(TaskStarted, "probe"))  # it was taken after all
    assert one.task("probe").state is T.RUNNING


def test_a_started_task_is_not_unclaimed() -> None:
    one = Scene()
    one.starts("probe")
    assert not one.happens(Unclaimed(one.task("probe").id)).changed


def test_a_task_is_dispatched_once() -> None:
    one = Scene()
    assert one.dispatches("probe").changed
    assert not one.dispatches("probe").changed


def test_what_a_dead_process_had_on_the_way_waits_again_uncharged() -> None:
    one = Scene()
    one.starts("probe")
    one.happens(Restarted())
    task = one.task("probe")
    assert (task.state, task.attempt, task.charged, task.nonce) == (T.PENDING, 2, 0, None)
    one.does("probe", "render", "thumbnails", "verify", nonce="n2")
    assert one.state is R.READY


def test_a_restart_finishes_a_cancel() -> None:
    one = Scene()
    one.starts("probe")
    one.happens(CancelRequested())
    one.happens(Restarted())
    assert one.state is R.CANCELED


@pytest.mark.parametrize("event", [Dispatch, LeaseExpired, DeadlinePassed, Unclaimed])
def test_nothing_is_found_of_a_task_that_nobody_knows(event: type) -> None:
    decision = Scene().happens(event("nobody"))
    assert (decision.changed, decision.refused) == (False, "there is no such task")


# Cancel.


@pytest.mark.parametrize("dispatched", [False, True])
def test_a_run_with_nothing_running_is_canceled_at_once(dispatched: bool) -> None:
    one = Scene()
    if dispatched:
        one.dispatches("probe")
    one.happens(CancelRequested())
    assert one.task_states() == {"probe": T.CANCELED}
    assert one.run_states() == [R.UPLOADED, R.CANCELED]
    assert isinstance(one.told[-1], VideoCanceled)
    assert bool(one.stops()) is dispatched


def test_a_worker_that_takes_the_command_of_a_canceled_task_is_stopped() -> None:
    one = Scene()
    one.dispatches("probe")
    one.happens(CancelRequested())
    decision = one.happens(one.word(TaskStarted, "probe"))
    assert not decision.changed
    assert decision.messages == (CancelTasks(task_ids=(one.task("probe").id,)),)


def test_a_running_task_is_told_to_stop_and_waited_for() -> None:
    one = Scene()
    one.starts("probe")
    decision = one.happens(CancelRequested())
    assert one.state is R.CANCELING
    assert CancelTasks(task_ids=(one.task("probe").id,)) in decision.messages
    one.happens(one.word(TaskCanceled, "probe"))
    assert (one.state, one.task("probe").state) == (R.CANCELED, T.CANCELED)
    assert [type(message) for message in one.told].count(VideoCanceled) == 1


@pytest.mark.parametrize("end", ["succeeded", "failed", "released", "lease", "deadline"])
def test_whatever_ends_the_attempt_ends_the_cancel(end: str) -> None:
    one = Scene(policy=Policy(deadline_seconds=20))
    one.starts("probe")
    one.happens(CancelRequested())
    one.later(31)
    task_id = one.task("probe").id
    one.happens(
        {
            "succeeded": one.result("probe"),
            "failed": one.word(TaskFailed, "probe", code="media.corrupt", message="Bad.", permanent=True),
            "released": one.word(TaskReleased, "probe"),
            "lease": LeaseExpired(task_id),
            "deadline": DeadlinePassed(task_id),
        }[end]  # type: ignore[arg-type]  # the join of the values' types is too wide
    )
    assert one.run_states()[-2:] == [R.CANCELING, R.CANCELED]
    assert not any(isinstance(message, VideoReady | VideoFailed) for message in one.told)


def test_a_task_is_not_dispatched_while_its_run_is_canceling() -> None:
    one = Scene(uploaded_video(Recipe(steps=(Thumbnails(storyboard=StoryboardWish()),))))
    one.does("probe")
    one.starts("thumbnails")
    one.happens(CancelRequested())
    assert one.task("thumbnails-storyboard").state is T.CANCELED
    assert not one.dispatches("thumbnails-storyboard").changed


@pytest.mark.parametrize("request_", [CancelRequested(), DeleteRequested()])
def test_a_cancel_asked_for_twice_or_after_the_end_changes_nothing(request_: CancelRequested | DeleteRequested) -> None:
    one = Scene()
    one.starts("probe")
    one.happens(request_)
    assert not one.happens(request_).changed
    done = Scene()
    done.does("probe", "render", "thumbnails", "verify")
    assert not done.happens(request_).changed
    assert done.state is R.READY


def test_a_cancel_from_before_the_run_cancels_it_when_it_begins() -> None:
    video = uploaded_video()
    one = Scene(replace(video, cancel_requested_at=video.created_at))
    assert one.run_states() == [R.UPLOADED, R.CANCELED]
    assert one.task_states() == {"probe": T.CANCELED}
