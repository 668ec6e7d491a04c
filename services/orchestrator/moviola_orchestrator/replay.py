"""A run's history walked through the state machine again: what it was at any time, and whether it could have been so.

An entry says where something went, not by which trigger; a move is possible where some line of the lifecycle's tables
makes it, under the conditions as they were then. Those are in the history too: a run is busy while one of its tasks
runs, and a task learns that its run is being canceled.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from moviola.errors import MoviolaError
from moviola.messages import VideoReprocessRequested, VideoRetryRequested
from moviola.video import HistoryEntry, RunId, RunState, TaskState
from moviola_orchestrator.happenings import FoundInCache
from moviola_orchestrator.lifecycle import (
    RUN_BEGINS,
    RUN_MOVES,
    TASK_BEGINS,
    TASK_MOVES,
    RunTrigger,
    TaskTrigger,
    move_run,
    move_task,
)

RUN = "run"
# The events upon which a task takes over what another one has done.
TAKES_OVER = (FoundInCache.type, VideoRetryRequested.type, VideoReprocessRequested.type)


class ImpossibleHistory(MoviolaError):
    """An entry that the state machine could not have made: something was written past it, or an entry is missing."""


@dataclass(slots=True)
class ReplayedTask:
    """One task as the entries so far tell of it."""

    state: TaskState
    attempt: int = 1
    cached: bool = False


@dataclass(slots=True)
class ReplayedRun:
    """One run as the entries so far tell of it; ``state`` None before the first."""

    run_id: RunId
    state: RunState | None = None
    tasks: dict[str, ReplayedTask] = field(default_factory=dict)
    entries: int = 0

    @property
    def busy(self) -> bool:
        return any(task.state is TaskState.RUNNING for task in self.tasks.values())

    def add(self, entry: HistoryEntry) -> None:
        """Make the entry's move; ``ImpossibleHistory`` where it can't be made."""
        if entry.subject == RUN:
            self._move_run(entry)
        elif entry.previous is None:
            self._begin_task(entry)
        else:
            self._move_task(entry)
        self.entries += 1

    def _move_run(self, entry: HistoryEntry) -> None:
        state = RunState(_known(RunState, entry))
        if entry.previous != self.state:
            raise _impossible(entry, f"the run was {self.state or 'not begun'}")
        if self.state is None and state not in RUN_BEGINS:
            raise _impossible(entry, "no run begins so")
        if self.state is not None and not _run_can(self.state, state, busy=self.busy):
            raise _impossible(entry, "no move leads there" + (" while a task runs" if self.busy else ""))
        if state is RunState.READY and any(task.state is not TaskState.SUCCEEDED for task in self.tasks.values()):
            raise _impossible(entry, "not all of its tasks had succeeded")
        self.state = state

    def _begin_task(self, entry: HistoryEntry) -> None:
        state = TaskState(_known(TaskState, entry))
        before = self.tasks.get(entry.subject)
        # Only a pass whose result from the cache is gone, and what was called off with it, is done anew.
        if before is not None and not before.cached and before.state is not TaskState.CANCELED:
            raise _impossible(entry, "there is such a task already")
        if self.state is None or state not in TASK_BEGINS:
            raise _impossible(entry, "no task begins so, or its run has not begun")
        self.tasks[entry.subject] = ReplayedTask(state)

    def _move_task(self, entry: HistoryEntry) -> None:
        state, task = TaskState(_known(TaskState, entry)), self.tasks.get(entry.subject)
        if task is None or entry.previous != task.state:
            raise _impossible(entry, f"the task was {task.state if task is not None else 'not begun'}")
        cached = entry.event in TAKES_OVER
        if not _task_can(task.state, state, canceling=self.state is RunState.CANCELING, cached=cached):
            raise _impossible(entry, f"no move leads there while the run is {self.state}")
        if entry.attempt is not None and not task.attempt <= entry.attempt <= task.attempt + 1:
            raise _impossible(entry, f"attempt {task.attempt} was the current one")
        self.tasks[entry.subject] = ReplayedTask(state, entry.attempt or task.attempt, cached)


def replay(entries: Iterable[HistoryEntry]) -> dict[RunId, ReplayedRun]:
    """Every run of a video, the first first, as *entries* (in their order) leave it; ``ImpossibleHistory``."""
    runs: dict[RunId, ReplayedRun] = {}
    for entry in entries:
        runs.setdefault(entry.run_id, ReplayedRun(entry.run_id)).add(entry)
    return runs


def _known(states: type[RunState] | type[TaskState], entry: HistoryEntry) -> str:
    if entry.state not in {str(state) for state in states}:
        raise _impossible(entry, "there is no such state")
    return entry.state


def _run_can(source: RunState, to: RunState, *, busy: bool) -> bool:
    triggers = {move.trigger for move in RUN_MOVES if source in move.sources}
    return any(move_run(source, cast(RunTrigger, trigger), busy=busy) is to for trigger in triggers)


def _task_can(source: TaskState, to: TaskState, *, canceling: bool, cached: bool) -> bool:
    triggers = {move.trigger for move in TASK_MOVES if source in move.sources and (cached or move.trigger != "adopt")}
    return any(
        move_task(source, cast(TaskTrigger, trigger), canceling=canceling, hopeless=hopeless) is to
        for trigger in triggers
        for hopeless in (False, True)
    )


def _impossible(entry: HistoryEntry, why: str) -> ImpossibleHistory:
    move = f"{entry.previous or 'nothing'} → {entry.state}"
    return ImpossibleHistory(f"Entry {entry.id} can't be: {entry.subject} went {move} at {entry.event}, but {why}.")
