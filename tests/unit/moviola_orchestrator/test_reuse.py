"""What a result of another run makes of a run, and what happens where it turns out to be gone."""

import pytest

from moviola.messages import CancelTasks, TaskFailed, TaskStarted, TaskSucceeded, VideoFailed, VideoReady
from moviola.probe import AudioStream, Loudness
from moviola.recipe import Recipe, parse_recipe
from moviola.video import RunState, TaskState, Video
from moviola_orchestrator.commands import command_for
from moviola_orchestrator.decision import Decision, Policy
from moviola_orchestrator.happenings import CancelRequested, FoundInCache
from moviola_orchestrator.reuse import result_key
from tests.unit.moviola_orchestrator.scene import Scene, facts, uploaded_video

R, T = RunState, TaskState
STEPS = ({"step": "trim", "end": 5}, {"step": "resize", "height": 360}, {"step": "thumbnails"})


def video(*steps: dict[str, object], name: str = "v1", recipe: Recipe | None = None) -> Video:
    return uploaded_video(recipe or parse_recipe({"steps": list(steps or STEPS)}), video_id=name)


def done(*steps: dict[str, object]) -> Scene:
    """A run of another video that has done everything."""
    one = Scene(video(*steps, name="v0"), Policy(fusion=False), ids="other")
    one.does("probe")
    while one.state is not R.READY:
        for task in [task for task in one.snapshot.tasks if task.state is T.PENDING]:
            one.does(task.name)
    return one


def takes(one: Scene, other: Scene, *names: str) -> Decision:
    """The tasks *names* take over what the other run has, one after the other; the last decision."""
    for name in names:
        decision = one.happens(FoundInCache(one.task(name).id, other.task(name)))
    return decision


def scene(*steps: dict[str, object]) -> Scene:
    return Scene(video(*steps), Policy(fusion=False))


def test_a_run_that_takes_over_everything_is_ready_with_the_others_files() -> None:
    one, other = scene(), done()
    takes(one, other, "probe", "trim", "resize", "thumbnails", "verify")
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.TRIMMING, R.RESIZING, R.THUMBNAILING, R.VERIFYING, R.READY]
    assert isinstance(one.told[-1], VideoReady)
    assert one.run.files == other.run.files
    assert all(task.cached and task.result_of == other.run.id for task in one.snapshot.tasks)


def test_a_task_knows_where_the_objects_are_though_the_result_went_through_several_hands() -> None:
    other = done()
    second = scene()
    takes(second, other, "probe", "trim")
    third = Scene(video(name="v3"), Policy(fusion=False), ids="third")
    takes(third, second, "probe", "trim")
    assert (third.task("trim").result_of, third.task("trim").origin) == (other.run.id, other.run.video_id)
    assert third.task("probe").origin is None  # it made no objects


@pytest.mark.parametrize("state", [T.DISPATCHED, T.RUNNING, T.SUCCEEDED, T.CANCELED])
def test_only_a_task_that_waits_takes_over_a_result(state: TaskState) -> None:
    one, other = scene(), done()
    one.dispatches("probe")
    if state is not T.DISPATCHED:
        one.starts("probe")
    if state is T.SUCCEEDED:
        one.happens(one.result("probe"))
    if state is T.CANCELED:
        one.happens(CancelRequested())
        one.happens(one.result("probe"))
    assert one.task("probe").state is state
    decision = takes(one, other, "probe")
    assert (decision.changed, decision.refused) == (False, f"a task that is {state} takes no adopt")


def test_facts_that_the_recipe_does_not_fit_fail_the_run_as_found_by_a_worker() -> None:
    one, other = scene({"step": "trim", "start": 600}), done()
    takes(one, other, "probe")
    assert one.run_states() == [R.UPLOADED, R.PROBING, R.FAILED]
    assert isinstance(one.told[-1], VideoFailed)


def test_a_measured_loudness_comes_along_with_the_measurement_and_not_with_the_probe() -> None:
    sound = AudioStream(index=1, codec="aac", sample_rate=48000, channels=2)
    loudness = Loudness(integrated=-23.0)
    other = Scene(video({"step": "normalize"}, name="v0"), ids="other")
    other.starts("probe")
    probe = facts().model_copy(update={"audio": (sound,)})
    other.happens(other.word(TaskSucceeded, "probe", probe=probe))
    other.starts("measure")
    other.happens(other.result("measure").model_copy(update={"loudness": loudness}))
    one = scene({"step": "normalize"})
    takes(one, other, "probe")
    assert one.run.probe is not None
    assert one.run.probe.loudness is None
    takes(one, other, "measure")
    assert one.run.probe.loudness == loudness
    assert one.task_states()["normalize"] is T.PENDING


def test_everything_that_a_command_reads_goes_into_what_its_result_is_known_by() -> None:
    sound = AudioStream(index=1, codec="aac", sample_rate=48000, channels=2)
    steps = [{"step": "watermark", "image": "an-image"}, {"step": "normalize"}, {"step": "thumbnails"}]
    made = video(*steps)  # type: ignore[arg-type]  # they are steps
    one = Scene(made)
    one.starts("probe")
    one.happens(one.word(TaskSucceeded, "probe", probe=facts().model_copy(update={"audio": (sound,)})))
    one.does("measure")
    one.dispatches("render")
    command = command_for(one.task("render"), one.run, one.snapshot.tasks, made, lease_seconds=30)
    assert one.run.plan is not None
    reads = one.run.plan.named("render")
    assert set(command.resources) == {*reads.needs, *reads.images} == {"measure", "an-image"}


def test_a_result_is_known_by_the_engine_that_made_it() -> None:
    one = Scene(video())
    one.starts("probe")
    result = one.word(TaskSucceeded, "probe", probe=facts(), source_sha256="sha", engine="e1")
    one.happens(result)
    assert one.task("probe").result_key == result_key(one.snapshot, one.task("probe"), "e1") is not None
    assert one.task("probe").result_key != result_key(one.snapshot, one.task("probe"), "e2")


# A result that was taken over and is gone.


@pytest.mark.parametrize("state", [T.PENDING, T.DISPATCHED, T.RUNNING])
def test_what_stood_on_a_result_that_is_gone_is_called_off_and_done_again(state: TaskState) -> None:
    steps = ({"step": "trim", "end": 5}, {"step": "thumbnails", "storyboard": True, "preview": True})
    one, other = scene(*steps), done(*steps)
    takes(one, other, "probe", "trim", "thumbnails-preview")
    if state is T.RUNNING:
        one.starts("thumbnails-storyboard", nonce="n2")
    elif state is T.DISPATCHED:
        one.dispatches("thumbnails-storyboard")
    one.starts("thumbnails")
    sibling = one.task("thumbnails-storyboard")
    assert sibling.state is state

    decision = one.fails("thumbnails", "storage.input_missing", permanent=True)

    assert one.state is R.TRIMMING
    assert decision.forgotten == ((key,) if (key := other.task("trim").result_key) else ())
    states = {name: state for name, state in one.task_states().items() if name != "probe"}
    assert states == {
        "trim": T.PENDING,
        "thumbnails": T.CANCELED,
        "thumbnails-storyboard": T.CANCELED,
        "thumbnails-preview": T.SUCCEEDED,
    }
    stopped = {task for message in decision.messages if isinstance(message, CancelTasks) for task in message.task_ids}
    assert stopped == (set() if state is T.PENDING else {sibling.id})
    assert one.by_id(sibling.id).lease_until == sibling.lease_until  # it may still write until then
    one.does("trim", "thumbnails", "thumbnails-storyboard", "verify")
    assert one.state is R.READY
    assert {file.key.split("/")[4]: file.key.split("/")[2] for file in one.run.files} == {
        "trim": "v1", "thumbnails": "v1", "thumbnails-storyboard": "v1", "thumbnails-preview": "v0",
    }  # fmt: skip


def test_a_late_word_of_a_task_that_was_called_off_changes_nothing() -> None:
    one, other = scene(), done()
    takes(one, other, "probe", "trim")
    one.starts("resize")
    late = one.result("resize")
    one.fails("resize", "storage.input_changed", permanent=True)
    assert one.happens(late).changed is False
    assert one.task_states()["trim"] is T.PENDING


def test_an_input_that_this_run_made_itself_and_lost_fails_it() -> None:
    one = scene()
    one.does("probe", "trim")
    one.fails("resize", "storage.input_missing", permanent=True)
    assert one.state is R.FAILED


def test_another_failure_says_nothing_of_the_result() -> None:
    one, other = scene(), done()
    takes(one, other, "probe", "trim")
    assert one.fails("resize").forgotten == ()
    assert one.task("trim").cached
    assert one.task("resize").attempt == 2


def test_a_run_that_is_being_canceled_does_nothing_anew() -> None:
    one, other = scene(), done()
    takes(one, other, "probe", "trim")
    one.starts("resize")
    one.happens(CancelRequested())
    one.happens(one.word(TaskFailed, "resize", code="storage.input_missing", message="Gone.", permanent=True))
    assert (one.state, one.task_states()["trim"]) == (R.CANCELED, T.SUCCEEDED)


# Passes side by side.


def test_passes_that_do_not_need_each_other_run_at_the_same_time() -> None:
    one = scene({"step": "trim", "end": 5}, {"step": "thumbnails", "preview": True})
    one.does("probe", "trim")
    for name in ("thumbnails", "thumbnails-preview"):
        one.starts(name, nonce=name)
    assert [one.task_states()[name] for name in ("thumbnails", "thumbnails-preview")] == [T.RUNNING, T.RUNNING]
    one.happens(one.result("thumbnails-preview", nonce="thumbnails-preview"))
    assert one.state is R.THUMBNAILING
    one.happens(one.result("thumbnails", nonce="thumbnails"))
    assert one.state is R.VERIFYING


def test_a_side_pass_that_fails_for_good_fails_the_run_by_its_name_and_stops_its_siblings() -> None:
    one = scene({"step": "trim", "end": 5}, {"step": "thumbnails", "preview": True})
    one.does("probe", "trim")
    one.starts("thumbnails")
    decision = one.fails("thumbnails-preview", "media.corrupt", permanent=True)
    assert one.run.failure is not None
    assert (one.run.failure.step, one.state) == ("thumbnails-preview", R.FAILED)
    assert one.task_states()["thumbnails"] is T.CANCELED
    assert [one.task("thumbnails").id] in [list(m.task_ids) for m in decision.messages if isinstance(m, CancelTasks)]


def test_the_word_that_a_task_started_counts_though_its_sibling_ended_the_run() -> None:
    one = scene({"step": "trim", "end": 5}, {"step": "thumbnails", "preview": True})
    one.does("probe", "trim")
    one.dispatches("thumbnails")
    one.fails("thumbnails-preview", "media.corrupt", permanent=True)
    decision = one.happens(one.word(TaskStarted, "thumbnails"))
    assert [message.type for message in decision.messages] == ["tasks.cancel"]
