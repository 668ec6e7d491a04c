"""The page in the documentation is drawn from the machine, and is current."""

from pathlib import Path

import pytest

from moviola_orchestrator.diagram import as_json, document, main
from moviola_orchestrator.lifecycle import RUN_MOVES, TASK_MOVES, Move

PAGE = Path(__file__).parents[3] / "docs" / "state-machine.md"


def test_the_documentation_shows_the_machine_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run: python -m moviola_orchestrator.diagram"


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    main([str(tmp_path / "docs" / "page.md")])
    assert (tmp_path / "docs" / "page.md").read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("move", [*RUN_MOVES, *TASK_MOVES], ids=lambda move: f"{move.trigger} to {move.to}")
def test_every_move_is_drawn(move: Move) -> None:
    lines = [line.strip() for line in document().splitlines()]
    for source in move.sources:
        assert any(line.startswith(f"{source} --> {move.to}:") and move.trigger in line for line in lines)


def test_the_machine_as_data_has_its_ends_and_every_move() -> None:
    machine = as_json()
    assert isinstance(machine["run"], dict)
    assert machine["run"]["final"] == ["ready", "failed", "canceled"]
    assert isinstance(machine["task"], dict)
    assert machine["task"]["initial"] == "pending"
    moves = machine["task"]["moves"]
    assert isinstance(moves, list)
    assert {"trigger": "error", "from": "running", "to": "failed", "when": "hopeless", "unless": None} in moves
    assert len(moves) == sum(len(move.sources) for move in TASK_MOVES)
