"""Both tables: every state with every trigger, and nothing that leads out of an end."""

from typing import get_args

import pytest

from moviola.plan import KINDS
from moviola.video import TERMINAL_RUN_STATES, TERMINAL_TASK_STATES, RunState, TaskState
from moviola_orchestrator.lifecycle import (
    RUN_MOVES,
    RUN_STATES,
    STATE_OF_KIND,
    TASK_MOVES,
    TASK_STATES,
    RunTrigger,
    TaskTrigger,
    move_run,
    move_task,
)

R, T = RunState, TaskState
EDITING = [R.TRIMMING, R.RESIZING, R.WATERMARKING, R.MUTING, R.DOWNMIXING, R.NORMALIZING, R.MEASURING]
MAKING = [R.PROBING, *EDITING, R.RENDERING, R.PACKAGING, R.THUMBNAILING]
WORKING = [*MAKING, R.VERIFYING]
RUN_TRIGGERS: list[RunTrigger] = [*KINDS, "finish", "fail", "cancel", "stopped"]
TASK_TRIGGERS: tuple[TaskTrigger, ...] = get_args(TaskTrigger)


def expected_run(state: RunState, trigger: str) -> RunState | None:
    """The same law, said in another way than the table says it. Nothing is running."""
    match trigger:
        case "probe":
            return R.PROBING if state is R.UPLOADED else None
        case kind if kind in STATE_OF_KIND:
            return STATE_OF_KIND[kind] if state in WORKING and state is not STATE_OF_KIND[kind] else None
        case "finish":
            return R.READY if state in WORKING else None
        case "fail":
            return R.FAILED if state in WORKING else None
        case "cancel":
            return R.CANCELED if state in [R.UPLOADED, *WORKING] else None
        case _:
            return R.CANCELED if state is R.CANCELING else None


@pytest.mark.parametrize("trigger", RUN_TRIGGERS)
@pytest.mark.parametrize("state", RUN_STATES)
def test_every_run_state_answers_every_trigger_as_the_law_says(state: RunState, trigger: RunTrigger) -> None:
    assert move_run(state, trigger) is expected_run(state, trigger)


TASK_LAW: dict[tuple[TaskState, str], TaskState] = {
    (T.PENDING, "dispatch"): T.DISPATCHED,
    (T.PENDING, "adopt"): T.SUCCEEDED,
    (T.PENDING, "start"): T.RUNNING,
    (T.PENDING, "cancel"): T.CANCELED,
    (T.DISPATCHED, "start"): T.RUNNING,
    (T.DISPATCHED, "unclaim"): T.PENDING,
    (T.DISPATCHED, "lose"): T.PENDING,
    (T.DISPATCHED, "cancel"): T.CANCELED,
    (T.RUNNING, "succeed"): T.SUCCEEDED,
    (T.RUNNING, "error"): T.PENDING,
    (T.RUNNING, "expire"): T.PENDING,
    (T.RUNNING, "overrun"): T.FAILED,
    (T.RUNNING, "release"): T.PENDING,
    (T.RUNNING, "lose"): T.PENDING,
    (T.RUNNING, "abandon"): T.CANCELED,
}


@pytest.mark.parametrize("trigger", TASK_TRIGGERS)
@pytest.mark.parametrize("state", TASK_STATES)
def test_every_task_state_answers_every_trigger_as_the_law_says(state: TaskState, trigger: TaskTrigger) -> None:
    assert move_task(state, trigger) is TASK_LAW.get((state, trigger))


@pytest.mark.parametrize("trigger", ["succeed", "error", "expire", "overrun", "release", "lose"])
def test_while_the_run_is_being_canceled_whatever_ends_an_attempt_ends_the_task(trigger: TaskTrigger) -> None:
    assert move_task(T.RUNNING, trigger, canceling=True, hopeless=True) is T.CANCELED


@pytest.mark.parametrize("trigger", ["error", "expire"])
def test_a_hopeless_attempt_fails_the_task(trigger: TaskTrigger) -> None:
    assert move_task(T.RUNNING, trigger, hopeless=True) is T.FAILED


@pytest.mark.parametrize("state", WORKING)
def test_a_cancel_waits_while_a_task_is_running(state: RunState) -> None:
    assert move_run(state, "cancel", busy=True) is R.CANCELING
    assert move_run(R.CANCELING, "stopped", busy=True) is None


def test_no_move_leads_out_of_an_end() -> None:
    ends = {*TERMINAL_RUN_STATES, *TERMINAL_TASK_STATES}
    assert [move for move in (*RUN_MOVES, *TASK_MOVES) if ends.intersection(move.sources)] == []


def test_every_kind_of_task_has_a_state_of_the_run() -> None:
    assert set(STATE_OF_KIND) == set(KINDS)
