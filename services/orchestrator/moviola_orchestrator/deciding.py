"""Decide what an event makes of a run: pure, so that every order of events can be tried without a server."""

from typing import assert_never

from moviola.messages import TaskCanceled, TaskFailed, TaskHeartbeat, TaskReleased, TaskStarted, TaskSucceeded
from moviola_orchestrator import attempts, progress, reuse, timeouts
from moviola_orchestrator.decision import Decision, Moment, Policy, Snapshot
from moviola_orchestrator.draft import Draft
from moviola_orchestrator.happenings import (
    CancelRequested,
    DeadlinePassed,
    DeleteRequested,
    Dispatch,
    FoundInCache,
    Happening,
    LeaseExpired,
    Restarted,
    Unclaimed,
    WorkerWord,
)


def decide(snapshot: Snapshot, event: Happening, moment: Moment, policy: Policy) -> Decision:
    """What becomes of the run. An event that comes twice, too late or from the wrong worker changes nothing."""
    draft = Draft(snapshot, event.type, moment)
    match event:
        case CancelRequested():
            progress.cancel(draft, "A cancel was asked for.")
        case DeleteRequested():
            progress.cancel(draft, "The video was deleted.")
        case Restarted():
            timeouts.restarted(draft)
        case Dispatch() | FoundInCache() | LeaseExpired() | DeadlinePassed() | Unclaimed():
            _found(draft, event, policy)
        case _:
            _heard(draft, event, policy)
    return draft.decision()


def _heard(draft: Draft, word: WorkerWord, policy: Policy) -> None:
    task = attempts.owned(draft, word, policy)
    if task is None:
        return
    match word:
        case TaskStarted() | TaskHeartbeat():
            pass  # to be the owner was all
        case TaskSucceeded():
            attempts.succeeded(draft, task, word, policy)
        case TaskFailed():
            attempts.failed(draft, task, word, policy)
        case TaskReleased() | TaskCanceled():
            attempts.handed_back(draft, task, word)
        case _:
            assert_never(word)


def _found(
    draft: Draft, event: Dispatch | FoundInCache | LeaseExpired | DeadlinePassed | Unclaimed, policy: Policy
) -> None:
    task = draft.task(event.task_id)
    if task is None:
        draft.refused = "there is no such task"
        return
    match event:
        case Dispatch():
            timeouts.dispatched(draft, task, policy)
        case FoundInCache():
            reuse.take_over(draft, task, event.made, fusion=policy.fusion)
        case LeaseExpired():
            timeouts.lease_expired(draft, task, policy)
        case DeadlinePassed():
            timeouts.deadline_passed(draft, task)
        case Unclaimed():
            timeouts.unclaimed(draft, task)
        case _:
            assert_never(event)
