"""What can happen to a run besides what workers say: found by the clock, asked for by a client, or done by ourselves.

``type`` is the name in the history, beside the message types of the wire.
"""

from dataclasses import dataclass
from typing import ClassVar

from moviola.messages import TaskCanceled, TaskFailed, TaskHeartbeat, TaskReleased, TaskStarted, TaskSucceeded
from moviola.video import Task, TaskId


@dataclass(frozen=True, slots=True)
class Dispatch:
    """There is room on the task's queue; its command is published with this."""

    type: ClassVar[str] = "task.dispatched"
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class FoundInCache:
    """``made``, a task of another run, has the result that this one would make."""

    type: ClassVar[str] = "task.cached"
    task_id: TaskId
    made: Task


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """The owner was not heard of for one lease."""

    type: ClassVar[str] = "lease.expired"
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The attempt takes longer than any may."""

    type: ClassVar[str] = "deadline.passed"
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """The command was dispatched, is on no queue any more, and nobody started it."""

    type: ClassVar[str] = "task.unclaimed"
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class CancelRequested:
    type: ClassVar[str] = "video.cancel_requested"


@dataclass(frozen=True, slots=True)
class DeleteRequested:
    type: ClassVar[str] = "video.delete_requested"


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process that had bus and workers inside itself has died: what was dispatched or running is lost."""

    type: ClassVar[str] = "system.restarted"


WorkerWord = TaskStarted | TaskHeartbeat | TaskSucceeded | TaskFailed | TaskReleased | TaskCanceled
Happening = (
    WorkerWord
    | Dispatch
    | FoundInCache
    | LeaseExpired
    | DeadlinePassed
    | Unclaimed
    | CancelRequested
    | DeleteRequested
    | Restarted
)
