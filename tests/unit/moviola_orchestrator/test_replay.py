"""Histories that could have been, and some that could not."""

from dataclasses import replace

import pytest

from moviola.messages import TaskCanceled, TaskReleased
from moviola.video import HistoryEntry, RunState, TaskState
from moviola_orchestrator.happenings import CancelRequested, Restarted
from moviola_orchestrator.replay import ImpossibleHistory, replay
from tests.unit.moviola_orchestrator.scene import Scene


@pytest.fixture
def entries() -> list[HistoryEntry]:
    """Of a run that went well."""
    scene = Scene()
    scene.does("probe", "render", "thumbnails", "verify")
    return scene.entries


def test_a_run_that_went_well_is_replayed_to_its_end(entries: list[HistoryEntry]) -> None:
    [run] = replay(entries).values()

    assert run.state is RunState.READY
    assert {task.state for task in run.tasks.values()} == {TaskState.SUCCEEDED}
    assert run.entries == len(entries)


def test_a_part_of_a_history_is_the_run_at_that_time(entries: list[HistoryEntry]) -> None:
    rendering = next(n for n, entry in enumerate(entries) if entry.state == "rendering")

    [run] = replay(entries[: rendering + 1]).values()

    assert run.state is RunState.RENDERING
    assert {name: task.state.value for name, task in run.tasks.items()} == {"probe": "succeeded", "render": "pending"}


def test_attempts_and_cancels_are_replayed() -> None:
    scene = Scene()
    scene.starts("probe")
    scene.happens(scene.word(TaskReleased, "probe"))
    scene.fails("probe")
    scene.starts("probe")
    scene.happens(Restarted())
    scene.starts("probe")
    scene.happens(CancelRequested())
    assert replay(scene.entries)[scene.run.id].state is RunState.CANCELING
    scene.happens(scene.word(TaskCanceled, "probe"))

    run = replay(scene.entries)[scene.run.id]

    assert (run.state, run.tasks["probe"].state, run.tasks["probe"].attempt) == ("canceled", "canceled", 4)


def test_a_history_without_one_of_its_entries_is_impossible(entries: list[HistoryEntry]) -> None:
    """But for the last, which nothing builds on."""
    for missing in range(len(entries) - 1):
        with pytest.raises(ImpossibleHistory, match=r"^Entry id-\d+ can't be"):
            replay(entries[:missing] + entries[missing + 1 :])


def test_a_run_is_not_canceled_while_one_of_its_tasks_runs() -> None:
    scene = Scene()
    scene.starts("probe")
    canceled = replace(scene.entries[-1], previous="probing", state="canceled")

    with pytest.raises(ImpossibleHistory, match="while a task runs"):
        replay([*scene.entries, canceled])


@pytest.mark.parametrize(
    ("subject", "state", "changes", "why"),
    [
        ("run", "uploaded", {"state": "ready"}, "no run begins so"),
        ("run", "probing", {"state": "ready"}, "no move leads there"),
        ("run", "probing", {"state": "canceling"}, "no move leads there while a task runs"),
        ("run", "thumbnailing", {"state": "ready"}, "not all of its tasks had succeeded"),
        ("run", "probing", {"state": "dancing"}, "no such state"),
        ("probe", "pending", {"state": "running"}, "no task begins so"),
        ("probe", "dispatched", {"state": "succeeded"}, "no move leads there"),
        ("probe", "running", {"previous": "pending"}, "the task was dispatched"),
        ("probe", "running", {"attempt": 3}, "attempt 1 was the current one"),
        ("render", "pending", {"subject": "probe"}, "such a task already"),
    ],
)
def test_an_entry_that_the_machine_could_not_have_made_is_found(
    entries: list[HistoryEntry], subject: str, state: str, changes: dict[str, str], why: str
) -> None:
    place = next(n for n, entry in enumerate(entries) if (entry.subject, entry.state) == (subject, state))
    entries[place] = replace(entries[place], **changes)

    with pytest.raises(ImpossibleHistory, match=why):
        replay(entries)
