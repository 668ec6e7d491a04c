"""How a run goes on: it begins, is planned, moves through its passes and ends in one of three ways."""

from collections.abc import Iterator
from dataclasses import replace

from moviola.errors import InvalidRecipe
from moviola.messages import VideoCanceled, VideoFailed, VideoReady
from moviola.plan import ORIGINAL, PROBE_PASS, Pass, Plan
from moviola.planner import compile_plan
from moviola.probe import Loudness, Probe
from moviola.quality import Quality
from moviola.recipe import Recipe
from moviola.video import (
    TERMINAL_RUN_STATES,
    Failure,
    Findings,
    OutputFile,
    Run,
    RunId,
    RunState,
    Task,
    TaskId,
    TaskState,
    Video,
)
from moviola_orchestrator.cost import cost_of
from moviola_orchestrator.decision import Decision, Moment, Snapshot
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.lifecycle import STATE_OF_KIND


def begin(video: Video, moment: Moment) -> Decision:
    """The first run of a video that is uploaded, with the task that reads its facts.

    A cancel that was asked for before there was a run cancels this one.
    """
    draft = open_run(video, moment, "video.uploaded", "The video was uploaded.")
    call_off_early(draft, video)
    return draft.decision()


def open_run(video: Video, moment: Moment, event: str, cause: str, *, number: int = 1, serving: bool = False) -> Draft:
    """A run that has just been made, under the id that was asked for, if any."""
    run = Run(
        id=video.wanted_run or RunId(moment.new_id()),
        video_id=video.id,
        tenant=video.tenant,
        number=number,
        state=RunState.UPLOADED,
        recipe=video.recipe,
        priority=video.priority,
        key_id=video.key_id,
        created_at=moment.now,
        updated_at=moment.now,
        source_sha256=video.sha256,
    )
    draft = Draft(Snapshot(run, (), serving), event, moment)
    draft.announce(None, cause)
    draft.add(new_task(run, PROBE_PASS, moment), cause)
    return draft


def call_off_early(draft: Draft, video: Video) -> None:
    """Heed a cancel that was asked for before the run was made."""
    if video.cancel_requested_at is not None:
        cancel(draft, "A cancel was asked for before the run began.")


def _adopt_plan(draft: Draft, probe: Probe, *, fusion: bool, cause: str) -> None:
    """Compile the recipe for the file that was found; a recipe that does not fit it fails the run."""
    run = draft.run = replace(draft.run, probe=probe)
    try:
        plan = compile_plan(run.recipe, probe, fusion=fusion)
    except InvalidRecipe as error:
        step = _step_at(run.recipe, error.errors[0].pointer if error.errors else "")
        fail(draft, Failure(code=error.code, step=step, message=str(error)), cause)
    else:
        draft.run = replace(run, plan=plan)


def take_note(draft: Draft, task: Task, *, fusion: bool, cause: str) -> None:
    """What *task*, which is done, has found is from now on part of what the run knows."""
    found = task.found or Findings()
    if found.loudness is not None:
        _note_loudness(draft, found.loudness)
    if found.quality is not None:
        note_quality(draft, found.quality)
    if found.probe is not None and task.name == PROBE_PASS.name:
        if draft.run.state is RunState.UPLOADED:
            draft.move_run("probe", cause)  # nobody had to start it
        draft.run = replace(draft.run, source_sha256=draft.run.source_sha256 or found.source_sha256)
        _adopt_plan(draft, found.probe, fusion=fusion, cause=cause)


def _note_loudness(draft: Draft, loudness: Loudness) -> None:
    """Among the facts of the file is from now on how loud it was found to be."""
    if draft.run.probe is not None:
        draft.run = replace(draft.run, probe=draft.run.probe.model_copy(update={"loudness": loudness}))


def note_quality(draft: Draft, quality: Quality) -> None:
    """The report stays with the run, whatever it says."""
    draft.run = replace(draft.run, quality=quality)


def settle(draft: Draft, cause: str) -> None:
    """Bring the run to where its tasks say it is: new tasks for passes that can be done now, its state, its end."""
    run = draft.run
    if run.state in TERMINAL_RUN_STATES:
        return
    if run.state is RunState.CANCELING:
        _finish_cancel(draft, cause)
    elif run.plan is None:
        probing = draft.named(PROBE_PASS.name)
        if run.state is RunState.UPLOADED and probing is not None and probing.state is TaskState.RUNNING:
            draft.move_run("probe", cause)
    else:
        _go_on(draft, run.plan, cause)


def fail(draft: Draft, failure: Failure, cause: str) -> None:
    """The run fails now; what else it had to do is called off, and nobody waits for it."""
    if not draft.move_run("fail", cause, failure=failure, finished_at=draft.moment.now):
        return
    for task in draft.tasks:
        drop_task(draft, task, "The run failed.")
    run = draft.run
    draft.messages.append(VideoFailed(video_id=run.video_id, tenant=run.tenant, run_id=run.id, failure=failure))


def cancel(draft: Draft, cause: str) -> None:
    """Call off what has not started, tell the workers to stop the rest; canceled when none runs any more."""
    if draft.run.state in TERMINAL_RUN_STATES or draft.canceling:
        draft.refused = f"the run is {draft.run.state}"
        return
    for task in draft.tasks:
        if task.state is not TaskState.RUNNING:
            drop_task(draft, task, cause)
    draft.stop_workers(*(task.id for task in draft.tasks if task.state is TaskState.RUNNING))
    finished_at = None if draft.busy else draft.moment.now
    draft.move_run("cancel", cause, finished_at=finished_at)
    _tell_canceled(draft)


def _finish_cancel(draft: Draft, cause: str) -> None:
    if not draft.busy:
        draft.move_run("stopped", cause, finished_at=draft.moment.now)
        _tell_canceled(draft)


def _tell_canceled(draft: Draft) -> None:
    run = draft.run
    if run.state is RunState.CANCELED:
        draft.messages.append(VideoCanceled(video_id=run.video_id, tenant=run.tenant, run_id=run.id))


def drop_task(draft: Draft, task: Task, cause: str) -> None:
    """Nobody wants *task* any more, unless it is over: it is called off, and who works on it told to stop."""
    if task.state in (TaskState.DISPATCHED, TaskState.RUNNING):
        draft.stop_workers(task.id)
    if task.state in (TaskState.PENDING, TaskState.DISPATCHED):
        draft.move_task(task, "cancel", cause)
    elif task.state is TaskState.RUNNING:
        # The lease stays: until it ends, the worker may still write, and a purge has to wait for that.
        draft.move_task(task, "abandon", cause, lease_until=task.lease_until)


def _go_on(draft: Draft, plan: Plan, cause: str) -> None:
    newest = {task.name: task for task in draft.tasks}
    done = {name for name, task in newest.items() if task.state is TaskState.SUCCEEDED}
    for one in plan.passes:
        # In a run that goes on, a task was called off only since what it reads is made anew.
        waits = one.name not in newest or newest[one.name].state is TaskState.CANCELED
        if waits and {one.source, *one.needs} <= done | {ORIGINAL}:
            draft.add(new_task(draft.run, one, draft.moment), cause)
    unfinished = next((one for one in plan.passes if one.name not in done), None)
    if unfinished is None:
        _finish(draft, plan, cause)
    elif draft.run.state is not STATE_OF_KIND[unfinished.kind]:
        draft.move_run(unfinished.kind, cause)


def _finish(draft: Draft, plan: Plan, cause: str) -> None:
    files = tuple(_files(draft, plan))
    if draft.move_run("finish", cause, files=files, finished_at=draft.moment.now):
        run = draft.run
        draft.messages.append(VideoReady(video_id=run.video_id, tenant=run.tenant, run_id=run.id, files=files))


def _files(draft: Draft, plan: Plan) -> Iterator[OutputFile]:
    for one in plan.passes:
        task = draft.named(one.name)
        if task is not None:
            yield from (output for output in task.outputs if output.name in one.files)


def new_task(run: Run, one: Pass, moment: Moment) -> Task:
    """A task that waits, for the pass *one*."""
    return Task(
        id=TaskId(moment.new_id()),
        run_id=run.id,
        video_id=run.video_id,
        tenant=run.tenant,
        name=one.name,
        kind=one.kind,
        state=TaskState.PENDING,
        priority=run.priority,
        key_id=run.key_id,
        cost=cost_of(one, run.probe),
        created_at=moment.now,
    )


def _step_at(recipe: Recipe | None, pointer: str) -> str:
    """The name of the step that a JSON pointer into the recipe leads to."""
    parts = pointer.split("/")
    if recipe is not None and parts[:2] == ["", "steps"] and len(parts) > 2:
        return recipe.steps[int(parts[2])].step
    return PROBE_PASS.name
