"""THE STATE MACHINE: where a run and its tasks can be, and what moves them.

Two tables and two functions. A machine is built around a throw-away model for each move (about 0.2 ms), because a
shared `transitions` machine keeps every model for ever. Nothing here knows a clock, a database or a message; what
follows from a move is decided elsewhere, and the diagram in ``docs/state-machine.md`` is drawn from these tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from transitions import Machine

from moviola.plan import Kind
from moviola.video import RunState, TaskState

RunTrigger = Literal[Kind, "finish", "fail", "cancel", "stopped"]
TaskTrigger = Literal[
    "dispatch",
    "adopt",
    "start",
    "succeed",
    "error",
    "expire",
    "overrun",
    "release",
    "unclaim",
    "lose",
    "cancel",
    "abandon",
]

STATE_OF_KIND: Mapping[Kind, RunState] = {
    "probe": RunState.PROBING,
    "trim": RunState.TRIMMING,
    "resize": RunState.RESIZING,
    "watermark": RunState.WATERMARKING,
    "mute": RunState.MUTING,
    "downmix": RunState.DOWNMIXING,
    "normalize": RunState.NORMALIZING,
    "measure": RunState.MEASURING,
    "render": RunState.RENDERING,
    "package": RunState.PACKAGING,
    "thumbnails": RunState.THUMBNAILING,
    "verify": RunState.VERIFYING,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a table: *trigger* moves from any of *sources* to *to*, where ``when`` holds and ``unless`` does not.

    Of several lines with the same trigger and source, the first one that holds is taken.
    """

    trigger: str
    sources: tuple[str, ...]
    to: str
    when: str | None = None
    unless: str | None = None


_WORKING = tuple(STATE_OF_KIND.values())

RUN_STATES: tuple[RunState, ...] = (
    RunState.UPLOADED,
    *_WORKING,
    RunState.READY,
    RunState.FAILED,
    RunState.CANCELING,
    RunState.CANCELED,
)
RUN_MOVES: tuple[Move, ...] = (
    Move("probe", (RunState.UPLOADED,), RunState.PROBING),
    # Which pass is next, the plan says; a result from the cache that turns out to be gone leads back to an earlier one.
    *(
        Move(kind, tuple(other for other in _WORKING if other is not state), state)
        for kind, state in STATE_OF_KIND.items()
        if kind != "probe"
    ),
    Move("finish", _WORKING, RunState.READY),
    Move("fail", _WORKING, RunState.FAILED),
    Move("cancel", _WORKING, RunState.CANCELING, when="busy"),
    Move("cancel", (RunState.UPLOADED, *_WORKING), RunState.CANCELED),
    Move("stopped", (RunState.CANCELING,), RunState.CANCELED, unless="busy"),
)

TASK_STATES: tuple[TaskState, ...] = tuple(TaskState)
_PENDING, _DISPATCHED, _RUNNING = TaskState.PENDING, TaskState.DISPATCHED, TaskState.RUNNING
TASK_MOVES: tuple[Move, ...] = (
    Move("dispatch", (_PENDING,), _DISPATCHED),
    # Another run has made the same already.
    Move("adopt", (_PENDING,), TaskState.SUCCEEDED),
    Move("unclaim", (_DISPATCHED,), _PENDING),
    # From pending too: the command of an unclaimed attempt may be taken after all.
    Move("start", (_PENDING, _DISPATCHED), _RUNNING),
    # While the run is being canceled, whatever ends the attempt ends the task.
    Move("succeed", (_RUNNING,), TaskState.CANCELED, when="canceling"),
    Move("succeed", (_RUNNING,), TaskState.SUCCEEDED),
    Move("error", (_RUNNING,), TaskState.CANCELED, when="canceling"),
    Move("error", (_RUNNING,), TaskState.FAILED, when="hopeless"),
    Move("error", (_RUNNING,), _PENDING),
    Move("expire", (_RUNNING,), TaskState.CANCELED, when="canceling"),
    Move("expire", (_RUNNING,), TaskState.FAILED, when="hopeless"),
    Move("expire", (_RUNNING,), _PENDING),
    Move("overrun", (_RUNNING,), TaskState.CANCELED, when="canceling"),
    Move("overrun", (_RUNNING,), TaskState.FAILED),
    Move("release", (_RUNNING,), TaskState.CANCELED, when="canceling"),
    Move("release", (_RUNNING,), _PENDING),
    Move("lose", (_DISPATCHED, _RUNNING), TaskState.CANCELED, when="canceling"),
    Move("lose", (_DISPATCHED, _RUNNING), _PENDING),
    Move("cancel", (_PENDING, _DISPATCHED), TaskState.CANCELED),
    # A run that has failed does not wait for its other tasks.
    Move("abandon", (_RUNNING,), TaskState.CANCELED),
)

# What the first entry of a run, and of a task, may say.
RUN_BEGINS = frozenset({RunState.UPLOADED})
TASK_BEGINS = frozenset({TaskState.PENDING})


@dataclass
class RunModel:
    """What the conditions of `RUN_MOVES` ask: ``busy`` says that some task is running."""

    state: str
    busy: bool = False


@dataclass
class TaskModel:
    """What the conditions of `TASK_MOVES` ask.

    ``canceling``: the run is being canceled. ``hopeless``: another attempt would end the same way, or was one too many.
    """

    state: str
    canceling: bool = False
    hopeless: bool = False


def move_run(state: RunState, trigger: RunTrigger, *, busy: bool = False) -> RunState | None:
    """The state that *trigger* leads to; None where it moves nothing from *state*."""
    model = RunModel(state, busy)
    return RunState(model.state) if _moved(model, RUN_MOVES, state, trigger) else None


def move_task(
    state: TaskState, trigger: TaskTrigger, *, canceling: bool = False, hopeless: bool = False
) -> TaskState | None:
    """The state that *trigger* leads to; None where it moves nothing from *state*."""
    model = TaskModel(state, canceling, hopeless)
    return TaskState(model.state) if _moved(model, TASK_MOVES, state, trigger) else None


def _moved(model: RunModel | TaskModel, moves: Sequence[Move], state: str, trigger: str) -> bool:
    machine = Machine(
        model,
        states=sorted({str(place) for move in moves for place in (*move.sources, move.to)}),
        transitions=[as_transition(move) for move in moves],
        initial=str(state),
        auto_transitions=False,
        ignore_invalid_triggers=True,
    )
    return machine.dispatch(trigger)


def as_transition(move: Move) -> dict[str, str | list[str] | None]:
    """*move* in the form that the library reads."""
    return {
        "trigger": move.trigger,
        "source": [str(source) for source in move.sources],
        "dest": str(move.to),
        "conditions": move.when,
        "unless": move.unless,
    }
