"""Why one task is where it is: decided from what the database, the bus and the workers last told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import Field

from moviola.ports.video_store import StoredDeadLetter
from moviola.video import Failure, Run, Task, TaskId, TaskState, Video, Worker
from moviola_api.documents import Document
from moviola_api.progress import Glimpse
from moviola_api.wording import clock, count, ordinal


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an explanation goes by. ``workers`` are all that are known, the silent ones too.

    ``places``: of each task that waits or lies on the bus, the how manieth of its kind it is. ``since``: when the run
    came into its state. ``unsent_since``: when the oldest message was written that no relay has sent. ``dead_letters``
    are those about the video that nobody has redriven.
    """

    now: datetime
    video: Video
    latest: Run | None = None
    serving: Run | None = None
    since: datetime | None = None
    tasks: Sequence[Task] = ()
    places: Mapping[TaskId, int] = field(default_factory=dict)
    workers: Sequence[Worker] = ()
    silence: timedelta = timedelta(seconds=15)
    bus_here: bool = True
    unsent_since: datetime | None = None
    live: Mapping[str, Glimpse] = field(default_factory=dict)
    dead_letters: Sequence[StoredDeadLetter] = ()

    def clock(self, time: datetime | None) -> str:
        return clock(time, self.now) if time is not None else "an unknown time"

    def alive(self, kind: str) -> list[Worker]:
        """The workers that take *kind* and were heard of lately."""
        return [one for one in self.workers if kind in one.kinds and one.seen_at >= self.now - self.silence]

    @property
    def nobody_relays(self) -> bool:
        """Messages have waited in the outbox for longer than they would if an orchestrator were there."""
        return self.unsent_since is not None and self.unsent_since < self.now - self.silence


class TaskExplanation(Document):
    """``reason`` is a stable code, ``sentence`` for a person. ``position`` counts from 1, of its kind, in the order of
    dispatch; ``workers`` are those alive that take it; ``failure`` is how the attempt before ended."""

    pass_: str = Field(alias="pass")
    kind: str
    state: TaskState
    attempt: int
    reason: str
    sentence: str
    position: int | None = None
    workers: int
    worker: str | None = None
    worker_seen_at: datetime | None = None
    progress: float | None = None
    lease_until: datetime | None = None
    not_before: datetime | None = None
    dispatched_at: datetime | None = None
    deadline: datetime | None = None
    failure: Failure | None = None


def explain_task(task: Task, around: Circumstances) -> TaskExplanation:
    """Why *task* is where it is now."""
    reason, sentence = _WHY[task.state](task, around)
    seen = next((one.seen_at for one in around.workers if one.id == task.worker), None)
    return TaskExplanation(
        pass_=task.name,
        kind=task.kind,
        state=task.state,
        attempt=task.attempt,
        reason=reason,
        sentence=sentence,
        position=around.places.get(task.id),
        workers=len(around.alive(task.kind)),
        worker=task.worker,
        worker_seen_at=seen,
        progress=_progress(task, around),
        lease_until=task.lease_until,
        not_before=task.not_before,
        dispatched_at=task.dispatched_at,
        deadline=task.deadline,
        failure=task.failure,
    )


def _progress(task: Task, around: Circumstances) -> float | None:
    glimpse = around.live.get(task.name)
    known = glimpse is not None and glimpse.attempt == task.attempt and task.state is TaskState.RUNNING
    return round(glimpse.done, 4) if known and glimpse is not None else None


def _pending(task: Task, around: Circumstances) -> tuple[str, str]:
    again = f" (attempt {task.attempt}{f' after {task.failure.code}' if task.failure else ''})" * (task.attempt > 1)
    if task.not_before is not None and task.not_before > around.now:
        return "task.backing_off", f"{task.name} waits until {around.clock(task.not_before)}{again}."
    return _queued(task, around, f"{_place(task, around)}{again}", "task.waiting")


def _dispatched(task: Task, around: Circumstances) -> tuple[str, str]:
    sent = f"its command was dispatched at {around.clock(task.dispatched_at)} and nobody has started it yet"
    return _queued(task, around, f"{_place(task, around)}; {sent}", "task.dispatched")


def _queued(task: Task, around: Circumstances, where: str, reason: str) -> tuple[str, str]:
    """What keeps it from being started, the nearest cause first."""
    if not around.bus_here:
        return "bus.away", f"The message bus is away, and {task.name} is {where}. It goes on when the bus is back."
    if around.nobody_relays:
        when = around.clock(around.unsent_since)
        return "orchestrator.away", f"No orchestrator has sent anything since {when}; {task.name} is {where}."
    alive = around.alive(task.kind)
    if alive:
        return reason, f"{task.name} is {where}; {count(len(alive), 'worker')} alive."
    return "worker.none_alive", f"{_nobody(task.kind, around)} {task.name} is {where}."


def _nobody(kind: str, around: Circumstances) -> str:
    seen = [worker.seen_at for worker in around.workers if kind in worker.kinds]
    if not seen:
        return f"No worker for `{kind}` is there; start one with `moviola worker --steps {kind}`."
    return f"No worker for `{kind}` is alive since {around.clock(max(seen))}."


def _place(task: Task, around: Circumstances) -> str:
    place = around.places.get(task.id)
    return f"{ordinal(place)} in `{task.kind}`" if place is not None else f"in `{task.kind}`"


def _running(task: Task, around: Circumstances) -> tuple[str, str]:
    done = _progress(task, around)
    how_far = f", {done:.0%} done" if done is not None else ""
    who = f"Worker {task.worker} runs {task.name} since {around.clock(task.started_at)}{how_far}"
    if task.lease_until is not None and task.lease_until <= around.now:
        return "task.lease_passed", (
            f"{who}; its lease of attempt {task.attempt} passed at {around.clock(task.lease_until)}, "
            "and the task is given to another when an orchestrator sees that."
        )
    return "task.running", f"{who}; lease of attempt {task.attempt} until {around.clock(task.lease_until)}."


def _succeeded(task: Task, around: Circumstances) -> tuple[str, str]:
    return "task.succeeded", f"{task.name} is done since {around.clock(task.finished_at)}, by attempt {task.attempt}."


def _failed(task: Task, around: Circumstances) -> tuple[str, str]:
    why = f": {task.failure.code}: {task.failure.message}" if task.failure is not None else "."
    return "task.failed", f"{task.name} failed at {around.clock(task.finished_at)} in attempt {task.attempt}{why}"


def _canceled(task: Task, around: Circumstances) -> tuple[str, str]:
    return "task.canceled", f"{task.name} was called off at {around.clock(task.finished_at)}."


_WHY: Mapping[TaskState, Callable[[Task, Circumstances], tuple[str, str]]] = {
    TaskState.PENDING: _pending,
    TaskState.DISPATCHED: _dispatched,
    TaskState.RUNNING: _running,
    TaskState.SUCCEEDED: _succeeded,
    TaskState.FAILED: _failed,
    TaskState.CANCELED: _canceled,
}
