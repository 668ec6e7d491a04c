"""Results of other runs in place of work: what they are known by, how a task takes one over, and what if it is gone.

A result is taken over without being opened, so that one which has vanished meanwhile shows when the next pass reads it,
or looks at it and finds it bad. Then the pass that made it is done anew, by a task of its own, and so is whatever was
about to read it; the old tasks stay as they ended, and of several tasks of one pass the newest counts.
"""

from collections.abc import Mapping, Sequence

from moviola.fingerprint import content_of, fingerprint
from moviola.plan import PROBE_PASS, Pass
from moviola.video import OutputFile, Run, Task, TaskState
from moviola_orchestrator.decision import Snapshot
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.progress import drop_task, new_task, settle, take_note

GONE = frozenset({"storage.input_missing", "storage.input_changed"})


def pass_of(run: Run, task: Task) -> Pass:
    """The pass that *task* is; before there is a plan there is only the probe's."""
    return PROBE_PASS if run.plan is None or task.name == PROBE_PASS.name else run.plan.named(task.name)


def result_key(snapshot: Snapshot | Draft, task: Task, engine: str, *, original: str | None = None) -> str | None:
    """What the result of *task* by *engine* is known by; None where something that it reads is not known by content.

    *original* is the original's SHA-256 where the run does not have it yet.
    """
    return fingerprint(
        pass_of(snapshot.run, task),
        original=snapshot.run.source_sha256 or original,
        made={name: content_of(outputs) for name, outputs in _made(snapshot.tasks).items()},
        images=snapshot.images,
        engine=engine,
    )


def _made(tasks: Sequence[Task]) -> Mapping[str, Sequence[OutputFile]]:
    newest = {task.name: task for task in tasks}
    return {name: task.outputs for name, task in newest.items() if task.state is TaskState.SUCCEEDED}


def take_over(draft: Draft, task: Task, made: Task, *, fusion: bool, cause: str | None = None) -> None:
    """*task* is done at once, with the result of *made*; its worker, attempts and times stay empty."""
    run_id = made.result_of or made.run_id
    cause = cause or f"{task.name} comes from the cache: the result of run {run_id}."
    done = draft.move_task(
        task,
        "adopt",
        cause,
        outputs=made.outputs,
        found=made.found,
        result_key=made.result_key,
        result_of=run_id,
        origin=(made.origin or made.video_id) if made.outputs else None,
    )
    if done is not task:
        take_note(draft, done, fusion=fusion, cause=cause)
        settle(draft, cause)


def gone_inputs(draft: Draft, task: Task, code: str) -> Sequence[Task]:
    """The tasks whose results, taken over, *task* reads, if it failed since one of its inputs is gone."""
    if code not in GONE or draft.canceling:
        return []
    return [one for one in inputs_of(draft, task) if one.cached]


def inputs_of(draft: Draft, task: Task) -> Sequence[Task]:
    """The tasks whose results *task* reads."""
    inputs = [draft.named(name) for name in sorted(_inputs(draft, task))]
    return [one for one in inputs if one is not None]


def do_anew(draft: Draft, reader: Task, gone: Sequence[Task]) -> None:
    """Do again what made the results that are gone; who reads them waits for it, and no other run takes them."""
    cause = f"A result from the cache that {reader.name} reads is not there as it was, and is made anew."
    draft.move_task(reader, "abandon", cause)
    names = {task.name for task in gone}
    for task in draft.tasks:
        if names & _inputs(draft, task):
            drop_task(draft, task, cause)
    for task in gone:
        draft.forgotten.extend([task.result_key] if task.result_key else [])
        again = new_task(draft.run, pass_of(draft.run, task), draft.moment)
        draft.add(again, cause)
        if names & _inputs(draft, task):
            # What it reads is made anew as well: called off until then, like all others that read it.
            draft.move_task(again, "cancel", cause)
    settle(draft, cause)


def _inputs(draft: Draft, task: Task) -> set[str]:
    one = pass_of(draft.run, task)
    return {one.source, *one.needs}
