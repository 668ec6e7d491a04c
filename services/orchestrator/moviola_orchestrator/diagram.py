"""Draw the state machine from itself: mermaid for the documentation, JSON for whoever draws it in another way.

``python -m moviola_orchestrator.diagram [PATH]`` writes ``docs/state-machine.md``; a test checks that it is current.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue
from transitions.extensions import GraphMachine

from moviola_orchestrator.lifecycle import (
    RUN_MOVES,
    RUN_STATES,
    TASK_MOVES,
    TASK_STATES,
    Move,
    RunModel,
    TaskModel,
    as_transition,
)

DOCUMENT = Path("docs/state-machine.md")
HEAD = """# The state machine

Generated from `moviola_orchestrator/lifecycle.py` by `python -m moviola_orchestrator.diagram`; don't edit it.
A word in brackets is the condition under which a move is made; the first one that holds is taken.
"""
RUN_TEXT = """
## A run

One walk of a video through one plan. Where passes run side by side, the state is the earliest unfinished one in the
plan's order. `busy`: some task of the run is running.
"""
TASK_TEXT = """
## A task

One pass of a run, sent to one worker queue. `canceling`: its run is being canceled. `hopeless`: the failure is
permanent, or this was the last try.
"""


def mermaid(model: RunModel | TaskModel, states: Sequence[str], moves: Sequence[Move]) -> str:
    """The diagram of one machine, in mermaid's language and without the library's colours."""
    machine = GraphMachine(
        model,
        states=[str(state) for state in states],
        transitions=[as_transition(move) for move in moves],
        initial=str(states[0]),
        auto_transitions=False,
        show_conditions=True,
        graph_engine="mermaid",
    )
    drawn = machine.get_combined_graph().draw(None)  # drawn to no file, it is returned
    _, _, body = str(drawn).partition("stateDiagram-v2")
    lines = [line for line in body.splitlines() if line.strip() and not line.strip().startswith(("Class", "classDef"))]
    return "\n".join(["stateDiagram-v2", *lines])


def document() -> str:
    """The whole page."""
    run, task = (
        f"\n```mermaid\n{mermaid(model, states, moves)}\n```\n"
        for model, states, moves in (
            (RunModel(RUN_STATES[0]), RUN_STATES, RUN_MOVES),
            (TaskModel(TASK_STATES[0]), TASK_STATES, TASK_MOVES),
        )
    )
    return HEAD + RUN_TEXT + run + TASK_TEXT + task


def as_json() -> Mapping[str, JsonValue]:
    """Both machines as data: ``initial``, ``states``, ``final``, and ``moves`` with their conditions."""
    return {"run": _machine_as_json(RUN_STATES, RUN_MOVES), "task": _machine_as_json(TASK_STATES, TASK_MOVES)}


def _machine_as_json(states: Sequence[str], moves: Sequence[Move]) -> JsonValue:
    left = {source for move in moves for source in move.sources}
    return {
        "initial": str(states[0]),
        "states": [str(state) for state in states],
        "final": [str(state) for state in states if state not in left],
        "moves": [
            {
                "trigger": move.trigger,
                "from": str(source),
                "to": str(move.to),
                "when": move.when,
                "unless": move.unless,
            }
            for move in moves
            for source in move.sources
        ],
    }


def main(arguments: Sequence[str]) -> None:
    path = Path(arguments[0]) if arguments else DOCUMENT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
