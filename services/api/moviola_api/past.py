"""What a video was at a past time, folded from its history."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from moviola.video import STATUS_OF_RUN_STATE, HistoryEntry, RunId, RunState, Status


@dataclass(frozen=True, slots=True)
class PastTask:
    """One pass as it was; ``attempt`` is the number of the attempt that was current."""

    name: str
    state: str
    attempt: int
    worker: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class PastRun:
    """The latest run as it was, and the status that the video had by it."""

    run_id: RunId
    state: RunState
    status: Status
    since: datetime
    tasks: tuple[PastTask, ...]


@dataclass(slots=True)
class _Fold:
    run: HistoryEntry | None = None
    was_ready: bool = False
    tasks: dict[str, PastTask] = field(default_factory=dict)

    def add(self, entry: HistoryEntry) -> None:
        if entry.subject == "run":
            if self.run is None or self.run.run_id != entry.run_id:
                self.tasks = {}
            self.run = entry
            self.was_ready = self.was_ready or entry.state == RunState.READY
        elif self.run is not None and self.run.run_id == entry.run_id:
            self.tasks[entry.subject] = _moved(self.tasks.get(entry.subject), entry)


def _moved(before: PastTask | None, entry: HistoryEntry) -> PastTask:
    # An entry names the attempt that it ended; the next one is current from then on, unless nobody had begun it.
    ended = entry.state == "pending" and entry.previous is not None and entry.event != "task.unclaimed"
    attempt = (entry.attempt or (before.attempt if before is not None else 1)) + ended
    return PastTask(entry.subject, entry.state, attempt, None if entry.state == "pending" else entry.worker, entry.at)


def run_at(entries: Iterable[HistoryEntry]) -> PastRun | None:
    """The latest run as the *entries* of a video (all until then, in order) leave it; None before the first began."""
    fold = _Fold()
    for entry in entries:
        fold.add(entry)
    if fold.run is None:
        return None
    state = RunState(fold.run.state)
    status = Status.READY if fold.was_ready else STATUS_OF_RUN_STATE[state]
    return PastRun(fold.run.run_id, state, status, fold.run.at, tuple(fold.tasks.values()))
