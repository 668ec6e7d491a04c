"""What the clock finds, and what we do ourselves to a task: dispatch, lost leases, deadlines, unclaimed commands.

Each looks again at the task it is given: between finding and deciding it may have gone on.
"""

from datetime import datetime, timedelta

from moviola.video import TERMINAL_RUN_STATES, Failure, Task, TaskState
from moviola_orchestrator.attempts import after_bad_end
from moviola_orchestrator.decision import Policy
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.progress import settle


def dispatched(draft: Draft, task: Task, policy: Policy) -> None:
    now = draft.moment.now
    if draft.canceling or draft.run.state in TERMINAL_RUN_STATES:
        draft.refused = f"the run is {draft.run.state}"
    elif task.not_before is not None and task.not_before > now:
        draft.refused = "it is too early for another attempt"
    else:
        draft.move_task(
            task,
            "dispatch",
            f"There was room for {task.name} on its queue.",
            dispatched_at=now,
            deadline=now + timedelta(seconds=policy.deadline_seconds),
        )


def unclaimed(draft: Draft, task: Task) -> None:
    """Back to the waiting ones, as the same attempt: should two workers get its command, the fence lets one."""
    cause = f"Nobody started {task.name}, and its command is on no queue."
    draft.move_task(task, "unclaim", cause, attempt=task.attempt)


def lease_expired(draft: Draft, task: Task, policy: Policy) -> None:
    """Charged, and tried again at once: the lease was wait enough."""
    if not _passed(task.lease_until, draft.moment.now):
        draft.refused = "the lease was renewed"
        return
    cause = f"Worker {task.worker} was not heard of for one lease."
    failure = Failure(code="worker.lost", step=task.name, message=cause)
    charged = task.charged + 1
    hopeless = charged >= policy.retry_tries
    ended = draft.move_task(task, "expire", cause, hopeless=hopeless, charged=charged, failure=failure)
    if ended is not task:
        # It may only have been slow; nobody has the next attempt yet, so that this stops no rightful owner.
        draft.stop_workers(task.id)
        after_bad_end(draft, ended, failure, cause)


def deadline_passed(draft: Draft, task: Task) -> None:
    if not _passed(task.deadline, draft.moment.now):
        draft.refused = "the deadline has not passed"
        return
    message = f"Attempt {task.attempt} of {task.name} took longer than any may."
    failure = Failure(code="worker.deadline_exceeded", step=task.name, message=message)
    ended = draft.move_task(task, "overrun", message, failure=failure, lease_until=task.lease_until)
    if ended is not task:
        draft.stop_workers(task.id)
        after_bad_end(draft, ended, failure, message)


def restarted(draft: Draft) -> None:
    """Everything that was on the way is lost, by no fault of the tasks'."""
    cause = "The process that was doing it has ended."
    for task in draft.tasks:
        if task.state in (TaskState.DISPATCHED, TaskState.RUNNING):
            draft.move_task(task, "lose", cause)
    settle(draft, cause)


def _passed(time: datetime | None, now: datetime) -> bool:
    return time is not None and time <= now
