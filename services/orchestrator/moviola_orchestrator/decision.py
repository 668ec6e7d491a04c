"""What goes into a decision, and what comes out of it: frozen values, so that deciding is a function and no more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from moviola.messages import Message
from moviola.settings import Settings
from moviola.video import HistoryEntry, Run, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that decisions depend on; times in seconds."""

    fusion: bool = True
    lease_seconds: float = 30.0
    deadline_seconds: float = 12 * 3600.0
    retry_tries: int = 8
    retry_base_seconds: float = 1.0
    retry_cap_seconds: float = 300.0
    crash_tries: int = 3

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        return cls(
            fusion=settings.fusion,
            lease_seconds=settings.lease_seconds,
            deadline_seconds=settings.deadline_seconds,
            retry_tries=settings.retry_tries,
            retry_base_seconds=settings.retry_base_seconds,
            retry_cap_seconds=settings.retry_cap_seconds,
            crash_tries=settings.crash_tries,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision may not fetch for itself: the time, a number from 0 to 1 for jitter, and ids that sort."""

    now: datetime
    jitter: float
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run and its tasks as one transaction sees them; ``serving``: an earlier run of the video is ready.

    ``images`` has the SHA-256 of the stored images of the run's recipe, as far as they are known.
    """

    run: Run
    tasks: tuple[Task, ...]
    serving: bool = False
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a run. ``refused`` says why nothing does; there may be a word to a worker all the same.

    ``tasks`` are all of the run's as they will be; ``added`` and ``saved`` those of them that are to be written.
    ``forgotten`` are what results that are gone were known by.
    """

    run: Run
    tasks: tuple[Task, ...] = ()
    added: tuple[Task, ...] = ()
    saved: tuple[Task, ...] = ()
    entries: tuple[HistoryEntry, ...] = ()
    messages: tuple[Message, ...] = ()
    forgotten: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def changed(self) -> bool:
        return bool(self.entries)

    def then(self, second: "Decision") -> "Decision":
        """Both as one: *second* was decided upon what this one makes of the run."""
        tasks = {task.id: task for task in second.tasks}
        written = {task.id for task in (*self.added, *self.saved)}
        return replace(
            self,
            run=second.run,
            tasks=second.tasks,
            added=(*(tasks[task.id] for task in self.added), *second.added),
            saved=(*(tasks[task.id] for task in self.saved), *(t for t in second.saved if t.id not in written)),
            entries=self.entries + second.entries,
            messages=self.messages + second.messages,
            forgotten=self.forgotten + second.forgotten,
            refused=self.refused if second.refused else None,
        )
