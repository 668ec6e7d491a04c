"""How one attempt of a task goes: the fence, and what its good or bad end means for the task.

The fence: each attempt belongs to the worker that spoke of it first, under its own random ``nonce``. Words about
another attempt, or from another nonce, change nothing; whoever works on in vain is told to stop. A word that comes
before its ``task.started`` makes its sender the owner as well, since the bus keeps no order.
"""

from datetime import datetime, timedelta

from moviola import object_keys
from moviola.messages import TaskCanceled, TaskFailed, TaskReleased, TaskSucceeded
from moviola.plan import FINDINGS_ONLY, PROBE_PASS, Pass
from moviola.quality import Quality
from moviola.video import TERMINAL_TASK_STATES, Failure, Findings, Run, Task, TaskState
from moviola_orchestrator.decision import Policy
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.happenings import WorkerWord
from moviola_orchestrator.progress import fail, note_quality, settle, take_note
from moviola_orchestrator.reuse import do_anew, gone_inputs, inputs_of, result_key


def owned(draft: Draft, word: WorkerWord, policy: Policy) -> Task | None:
    """The running task that *word* is about, taken over by its sender where nobody has it; None where it is refused."""
    task = draft.task(word.task_id)
    reason = _refusal(task, word)
    if task is None or reason is not None:
        draft.refused = reason
        if word.type in ("task.started", "task.heartbeat"):
            _stop_in_vain(draft, task, word)
        return None
    if task.state is TaskState.RUNNING:
        return task
    now = draft.moment.now
    cause = f"Worker {word.worker} started {task.name}, attempt {task.attempt}."
    owner = draft.move_task(
        task,
        "start",
        cause,
        worker=word.worker,
        nonce=word.nonce,
        started_at=now,
        lease_until=now + timedelta(seconds=policy.lease_seconds),
        deadline=task.deadline or now + timedelta(seconds=policy.deadline_seconds),
    )
    if task.attempt > 1:
        # Whoever still works on an earlier attempt does so in vain.
        draft.stop_workers(task.id, except_nonce=word.nonce)
    settle(draft, cause)
    return owner


def _refusal(task: Task | None, word: WorkerWord) -> str | None:
    if task is None:
        return "there is no such task"
    if task.state in TERMINAL_TASK_STATES:
        return f"the task is {task.state}"
    if task.attempt != word.attempt:
        return f"attempt {word.attempt} is over, {task.attempt} is the current one"
    if task.nonce is not None and task.nonce != word.nonce:
        return f"worker {task.worker} owns this attempt"
    return None


def _stop_in_vain(draft: Draft, task: Task | None, word: WorkerWord) -> None:
    """Stop a sender who works for nothing. Where the current attempt has no owner yet nobody is stopped: a hint
    without a nonce to spare could hit the rightful one."""
    if task is None or task.state in (TaskState.FAILED, TaskState.CANCELED):
        draft.stop_workers(word.task_id)
    elif task.nonce is not None and task.nonce != word.nonce:
        draft.stop_workers(task.id, except_nonce=task.nonce)


def succeeded(draft: Draft, task: Task, word: TaskSucceeded, policy: Policy) -> None:
    wrong = _wrong_with(draft.run, task, word)
    if wrong is not None:
        _ended_badly(draft, task, Failure(code="worker.bad_result", step=task.name, message=wrong), policy)
        return
    if word.quality is not None and not word.quality.ok:
        _found_bad(draft, task, word.quality, policy)
        return
    cause = f"Worker {word.worker} finished {task.name}, attempt {task.attempt}."
    found = Findings.model_validate(word, from_attributes=True)
    key = None if draft.canceling else result_key(draft, task, word.engine, original=found.source_sha256)
    done = draft.move_task(task, "succeed", cause, outputs=word.outputs, failure=None, found=found, result_key=key)
    if done.state is TaskState.SUCCEEDED:
        take_note(draft, done, fusion=policy.fusion, cause=cause)
    settle(draft, cause)


def _found_bad(draft: Draft, task: Task, quality: Quality, policy: Policy) -> None:
    """What *task* has looked at is no good: nobody takes it over, and what this run has taken over is made anew."""
    inputs = inputs_of(draft, task)
    if not draft.canceling and (taken := [one for one in inputs if one.cached]):
        do_anew(draft, task, taken)
        return
    draft.forgotten.extend(one.result_key for one in inputs if one.result_key is not None)
    note_quality(draft, quality)
    # Another look would find the same.
    bad = Failure(code="worker.bad_output", step=task.name, message=quality.complaint())
    _ended_badly(draft, task, bad, policy, permanent=True)


def _wrong_with(run: Run, task: Task, word: TaskSucceeded) -> str | None:
    """What is missing from a result, or lies where its worker may not write."""
    if task.name == PROBE_PASS.name:
        return None if word.probe is not None else "The worker found no facts, and said that it succeeded."
    one = _pass_of(run, task)
    if one.kind in FINDINGS_ONLY:
        return None if word.quality is not None else "The worker found nothing, and said that it succeeded."
    prefix = object_keys.outputs_of(run.tenant, run.video_id, run.id, one)
    if any(not output.key.startswith(prefix) for output in word.outputs):
        return "The worker names an output outside the task's prefix."
    names = [output.name for output in word.outputs]
    missing = [name for name in one.files if name not in names]
    if missing:
        return f"The worker made no {missing[0]}, and said that it succeeded."
    return None if names else "The worker made no output, and said that it succeeded."


def _pass_of(run: Run, task: Task) -> Pass:
    assert run.plan is not None, "only the probe task exists before there is a plan"  # noqa: S101 - an invariant
    return run.plan.named(task.name)


def failed(draft: Draft, task: Task, word: TaskFailed, policy: Policy) -> None:
    code = "worker.crashed" if word.crashed else word.code
    if gone := gone_inputs(draft, task, code):
        do_anew(draft, task, gone)
        return
    failure = Failure(code=code, step=task.name, message=word.message)
    _ended_badly(draft, task, failure, policy, permanent=word.permanent, crashed=word.crashed)


def handed_back(draft: Draft, task: Task, word: TaskReleased | TaskCanceled) -> None:
    """Not charged: the worker was told to stop, and it is no fault of the task's."""
    cause = f"Worker {word.worker} handed {task.name} back, attempt {task.attempt}."
    draft.move_task(task, "release", cause)
    settle(draft, cause)


def _ended_badly(
    draft: Draft, task: Task, failure: Failure, policy: Policy, *, permanent: bool = False, crashed: bool = False
) -> None:
    """Charge the attempt and back off, or give up: at once where trying again can't help, else after some tries."""
    charged, crashes = task.charged + 1, task.crashes + crashed
    hopeless = permanent or crashes >= policy.crash_tries or charged >= policy.retry_tries
    cause = f"Worker {task.worker} failed {task.name}, attempt {task.attempt}: {failure.code}."
    not_before = None if hopeless or draft.canceling else _later(draft, task, policy)
    ended = draft.move_task(
        task,
        "error",
        cause,
        hopeless=hopeless,
        charged=charged,
        crashes=crashes,
        failure=failure,
        not_before=not_before,
    )
    after_bad_end(draft, ended, failure, cause)


def after_bad_end(draft: Draft, ended: Task, failure: Failure, cause: str) -> None:
    """A task that has failed for good fails its run; else the run goes on."""
    if ended.state is TaskState.FAILED:
        fail(draft, failure, cause)
    settle(draft, cause)


def _later(draft: Draft, task: Task, policy: Policy) -> datetime:
    """Full jitter: anywhere up to base × 2ⁿ, capped (AWS Architecture Blog, "Exponential Backoff And Jitter")."""
    ceiling = min(policy.retry_cap_seconds, policy.retry_base_seconds * 2 ** min(task.charged, 32))
    return draft.moment.now + timedelta(seconds=ceiling * draft.moment.jitter)
