"""A decision while it is being made: the run and its tasks as they will be, and what will be told of it.

Values in, values out: the clock, the randomness and the ids come with the `Moment`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypedDict, Unpack

from moviola.messages import CancelTasks, Message, VideoStateChanged
from moviola.video import (
    STATUS_OF_RUN_STATE,
    TERMINAL_TASK_STATES,
    Failure,
    Findings,
    HistoryEntry,
    OutputFile,
    RunId,
    RunState,
    Status,
    Task,
    TaskId,
    TaskState,
    VideoId,
)
from moviola_orchestrator.decision import Decision, Moment, Snapshot
from moviola_orchestrator.lifecycle import RunTrigger, TaskTrigger, move_run, move_task


class TaskChanges(TypedDict, total=False):
    """What a move may set beside the state."""

    attempt: int
    charged: int
    crashes: int
    not_before: datetime | None
    worker: str | None
    nonce: str | None
    dispatched_at: datetime | None
    started_at: datetime | None
    lease_until: datetime | None
    deadline: datetime | None
    finished_at: datetime | None
    outputs: tuple[OutputFile, ...]
    failure: Failure | None
    found: Findings | None
    result_key: str | None
    result_of: RunId | None
    origin: VideoId | None


class RunChanges(TypedDict, total=False):
    """What a move may set beside the state."""

    files: tuple[OutputFile, ...]
    failure: Failure | None
    finished_at: datetime | None


class Draft:
    """The run and its tasks under change; every move leaves an entry in the history."""

    def __init__(self, snapshot: Snapshot, event: str, moment: Moment) -> None:
        self.run = snapshot.run
        self.images = snapshot.images
        self.moment = moment
        self.forgotten: list[str] = []
        self.refused: str | None = None
        self.messages: list[Message] = []
        self._event = event
        self._serving = snapshot.serving
        self._before: Mapping[TaskId, Task] = {task.id: task for task in snapshot.tasks}
        self._tasks: dict[TaskId, Task] = dict(self._before)
        self._entries: list[HistoryEntry] = []

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self._tasks.values())

    @property
    def busy(self) -> bool:
        return any(task.state is TaskState.RUNNING for task in self.tasks)

    @property
    def canceling(self) -> bool:
        return self.run.state is RunState.CANCELING

    def task(self, task_id: TaskId) -> Task | None:
        return self._tasks.get(task_id)

    def named(self, name: str) -> Task | None:
        """The task of the pass *name*, if there is one yet; the newest, where it is done anew."""
        return next((task for task in reversed(self.tasks) if task.name == name), None)

    def add(self, task: Task, cause: str) -> None:
        self._tasks[task.id] = task
        self._note(task.name, None, task.state, cause)

    def move_task(
        self,
        task: Task,
        trigger: TaskTrigger,
        cause: str,
        *,
        hopeless: bool = False,
        **changes: Unpack[TaskChanges],
    ) -> Task:
        """*task* after the move, with *changes* and what its new state implies; unchanged where it can't move so."""
        state = move_task(task.state, trigger, canceling=self.canceling, hopeless=hopeless)
        if state is None:
            self.refused = f"a task that is {task.state} takes no {trigger}"
            return task
        moved = replace(replace(task, state=state, **_implied(task, state, self.moment.now)), **changes)
        self._tasks[task.id] = moved
        attempt = None if moved.cached else task.attempt
        self._note(task.name, task.state, state, cause, worker=moved.worker or task.worker, attempt=attempt)
        return moved

    def move_run(self, trigger: RunTrigger, cause: str, **changes: Unpack[RunChanges]) -> bool:
        """Move the run and tell of it; False, and nothing done, where it can't move so."""
        previous, state = self.run.state, move_run(self.run.state, trigger, busy=self.busy)
        if state is None:
            self.refused = f"a run that is {previous} takes no {trigger}"
            return False
        self.run = replace(self.run, state=state, **changes)
        self.announce(previous, cause)
        return True

    def announce(self, previous: RunState | None, cause: str) -> None:
        """Write the run's present state into the history and tell of it."""
        entry = self._note("run", previous, self.run.state, cause)
        self.messages.append(
            VideoStateChanged(
                entry_id=entry.id,
                video_id=self.run.video_id,
                tenant=self.run.tenant,
                run_id=self.run.id,
                previous=previous,
                state=self.run.state,
                status=Status.READY if self._serving else STATUS_OF_RUN_STATE[self.run.state],
                cause=cause,
                at=self.moment.now,
            )
        )

    def stop_workers(self, *task_ids: TaskId, except_nonce: str | None = None) -> None:
        """Hint to all workers to stop these tasks, but for the run of them that has the nonce."""
        if task_ids:
            self.messages.append(CancelTasks(task_ids=task_ids, except_nonce=except_nonce))

    def decision(self) -> Decision:
        changed = [task for task in self.tasks if task is not self._before.get(task.id)]
        return Decision(
            run=replace(self.run, updated_at=self.moment.now) if self._entries else self.run,
            tasks=self.tasks,
            added=tuple(task for task in changed if task.id not in self._before),
            saved=tuple(task for task in changed if task.id in self._before),
            entries=tuple(self._entries),
            messages=tuple(self.messages),
            forgotten=tuple(self.forgotten),
            refused=None if self._entries else self.refused,
        )

    def _note(
        self,
        subject: str,
        previous: str | None,
        state: str,
        cause: str,
        *,
        worker: str | None = None,
        attempt: int | None = None,
    ) -> HistoryEntry:
        entry = HistoryEntry(
            id=self.moment.new_id(),
            video_id=self.run.video_id,
            run_id=self.run.id,
            tenant=self.run.tenant,
            at=self.moment.now,
            subject=subject,
            previous=previous,
            state=state,
            event=self._event,
            cause=cause,
            worker=worker,
            attempt=attempt,
        )
        self._entries.append(entry)
        return entry


def _implied(task: Task, state: TaskState, now: datetime) -> TaskChanges:
    """What a state means for the other fields: a task that goes back has no owner, one that is over no lease."""
    if state is TaskState.PENDING:
        return TaskChanges(
            attempt=task.attempt + 1,
            worker=None,
            nonce=None,
            dispatched_at=None,
            started_at=None,
            lease_until=None,
            deadline=None,
            not_before=None,
        )
    if state in TERMINAL_TASK_STATES:
        return TaskChanges(finished_at=now, lease_until=None, not_before=None)
    return TaskChanges(not_before=None)
