"""Begin a run of a video that had one before: with another recipe, or to do what the last one has not done.

Either way it is a run of its own, since one that has ended stays as it ended. What the earlier run has found out about
the file holds; a retry takes over the results of all passes that its plan has too, as far as what they read is taken
over as well, so that only what failed and what follows from it is done again.
"""

from collections.abc import Mapping
from dataclasses import replace

from moviola.plan import PROBE_PASS, Pass
from moviola.video import TERMINAL_RUN_STATES, Findings, Run, Task, TaskState, Video
from moviola_orchestrator.decision import Decision, Moment, Snapshot
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.progress import call_off_early, open_run
from moviola_orchestrator.reuse import take_over


def begin_again(video: Video, earlier: Snapshot, moment: Moment, *, fusion: bool, serving: bool) -> Decision:
    """The run that the client asked for, behind *earlier*; ``serving``: some run of the video is ready."""
    before, retry = earlier.run.number, video.retry_of == earlier.run.id
    event = "video.retry_requested" if retry else "video.reprocess_requested"
    cause = f"A retry of run {before} was asked for." if retry else "Another run was asked for."
    draft = open_run(video, moment, event, cause, number=before + 1, serving=serving)
    made = {task.name: task for task in earlier.tasks if task.state is TaskState.SUCCEEDED}
    if video.cancel_requested_at is None:
        whole = retry and not _is_spoiled(earlier.run)
        taken = made if whole else {name: task for name, task in made.items() if name == PROBE_PASS.name}
        while _took_over(draft, earlier.run, taken, fusion=fusion):
            pass
    call_off_early(draft, video)
    return draft.decision()


def _took_over(draft: Draft, earlier: Run, made: Mapping[str, Task], *, fusion: bool) -> bool:
    """Whether some task that waits has the result of the one before; others may wait because of it."""
    cause = f"The result of run {earlier.number} is taken over."
    found = False
    for task in draft.tasks:
        old = made.get(task.name)
        if task.state is not TaskState.PENDING or old is None or _pass(draft.run, task) != _pass(earlier, task):
            continue
        found = True
        take_over(draft, task, replace(old, found=old.found or _findings(earlier, old)), fusion=fusion, cause=cause)
    return found and draft.run.state not in TERMINAL_RUN_STATES


def _findings(run: Run, task: Task) -> Findings:
    """What a task found before findings were kept with it."""
    match task.kind:
        case "probe":
            return Findings(probe=run.probe)
        case "measure":
            return Findings(loudness=run.probe.loudness if run.probe is not None else None)
        case _:
            return Findings(quality=run.quality if task.kind == "verify" else None)


def _is_spoiled(run: Run) -> bool:
    """Whether what it made is what it failed by."""
    return run.failure is not None and run.failure.code == "worker.bad_output"


def _pass(run: Run, task: Task) -> Pass | None:
    if task.name == PROBE_PASS.name or run.plan is None:
        return PROBE_PASS
    return next((one for one in run.plan.passes if one.name == task.name), None)
