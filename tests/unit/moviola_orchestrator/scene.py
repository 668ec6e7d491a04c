"""A run on the stage: events happen to it one after the other, with a clock that stands still until it is moved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

from moviola import object_keys
from moviola.messages import CancelTasks, Message, TaskEvent, TaskFailed, TaskStarted, TaskSucceeded, VideoStateChanged
from moviola.plan import POSTER, RESULT
from moviola.probe import Probe, VideoStream
from moviola.quality import Quality
from moviola.recipe import SHOWCASE, Recipe
from moviola.video import (
    DEFAULT_TENANT,
    HistoryEntry,
    OutputFile,
    Run,
    RunId,
    RunState,
    Task,
    TaskId,
    TaskState,
    Video,
    VideoId,
    VideoState,
)
from moviola_orchestrator.deciding import decide
from moviola_orchestrator.decision import Decision, Moment, Policy, Snapshot
from moviola_orchestrator.happenings import Dispatch, Happening
from moviola_orchestrator.progress import begin
from moviola_orchestrator.replay import ReplayedRun

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
Word = TypeVar("Word", bound=TaskEvent)
CONTENT_TYPES: Mapping[str, str] = {RESULT: "video/mp4", POSTER: "image/jpeg"}


def facts(duration: float = 60.0) -> Probe:
    stream = VideoStream(
        index=0,
        codec="h264",
        width=1920,
        height=1080,
        display_width=1920,
        display_height=1080,
        pixel_format="yuv420p",
        frame_rate=25,
    )
    return Probe(container="mp4", size=1000, duration=duration, video=stream)


def uploaded_video(recipe: Recipe | None = SHOWCASE, *, video_id: str = "v1", at: datetime = START) -> Video:
    return Video(
        id=VideoId(video_id),
        tenant=DEFAULT_TENANT,
        state=VideoState.UPLOADED,
        title="A clip",
        filename="clip.mp4",
        content_type="video/mp4",
        object_key=object_keys.original(DEFAULT_TENANT, VideoId(video_id)),
        object_etag="etag-1",
        size=1000,
        recipe=recipe,
        created_at=at,
        updated_at=at,
    )


def outputs_for(run: Run, task_name: str, attempt: int, nonce: str) -> tuple[OutputFile, ...]:
    """What a worker would have made: the pass's files, or the one file that the next pass reads."""
    if run.plan is None or task_name in ("probe", "verify"):
        return ()
    one = run.plan.named(task_name)
    prefix = object_keys.outputs_of(run.tenant, run.video_id, run.id, one)
    return tuple(
        OutputFile(
            name=name,
            key=f"{prefix}{attempt}-{nonce}/{name}",
            size=10,
            sha256="0" * 64,
            content_type=CONTENT_TYPES.get(name, "video/mp4"),
        )
        for name in one.files or ("video.mp4",)
    )


class Scene:
    """One run, its tasks, and everything that was told of it."""

    def __init__(self, video: Video | None = None, policy: Policy | None = None, *, ids: str = "id") -> None:
        self.now = START
        self.policy = policy or Policy()
        self.entries: list[HistoryEntry] = []
        self.told: list[Message] = []
        self.replayed = ReplayedRun(RunId(""))
        self._name = ids
        self._ids = count(1)
        begun = begin(video or uploaded_video(), self.moment())
        self.snapshot = Snapshot(begun.run, ())
        self._take(begun)

    def moment(self, jitter: float = 0.5) -> Moment:
        return Moment(self.now, jitter, lambda: f"{self._name}-{next(self._ids):06}")

    def happens(self, event: Happening, *, jitter: float = 0.5) -> Decision:
        decision = decide(self.snapshot, event, self.moment(jitter), self.policy)
        self._take(decision)
        return decision

    def _take(self, decision: Decision) -> None:
        saved = {task.id: task for task in decision.saved}
        kept = tuple(saved.get(task.id, task) for task in self.snapshot.tasks)
        self.snapshot = replace(self.snapshot, run=decision.run, tasks=kept + decision.added)
        self.entries.extend(decision.entries)
        self.told.extend(decision.messages)
        self._replay(decision.entries)

    def _replay(self, entries: Sequence[HistoryEntry]) -> None:
        """What the history tells is always what is."""
        for entry in entries:
            self.replayed.add(entry)
        told = {name: task.state for name, task in self.replayed.tasks.items()}
        assert (self.replayed.state, told) == (self.state, self.task_states())

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def run(self) -> Run:
        return self.snapshot.run

    @property
    def state(self) -> RunState:
        return self.run.state

    def task(self, name: str) -> Task:
        """The newest task of the pass *name*."""
        return next(task for task in reversed(self.snapshot.tasks) if task.name == name)

    def by_id(self, task_id: TaskId) -> Task:
        return next(task for task in self.snapshot.tasks if task.id == task_id)

    def task_states(self) -> dict[str, TaskState]:
        return {task.name: task.state for task in self.snapshot.tasks}

    def run_states(self) -> list[RunState]:
        """Every state that was told, in order."""
        return [message.state for message in self.told if isinstance(message, VideoStateChanged)]

    def stops(self) -> list[CancelTasks]:
        return [message for message in self.told if isinstance(message, CancelTasks)]

    def word(
        self, kind: type[Word], name: str, *, worker: str = "w1", nonce: str = "n1", attempt: int = 0, **fields: object
    ) -> Word:
        """What *worker* says of the task *name*; of its current attempt unless told."""
        task = self.task(name)
        about = {
            "task_id": task.id,
            "run_id": task.run_id,
            "video_id": task.video_id,
            "tenant": task.tenant,
            "name": task.name,
            "attempt": attempt or task.attempt,
            "worker": worker,
            "nonce": nonce,
        }
        return kind.model_validate({**about, **fields})

    def result(self, name: str, *, nonce: str = "n1", worker: str = "w1", duration: float = 60.0) -> TaskSucceeded:
        task = self.task(name)
        outputs = outputs_for(self.run, name, task.attempt, nonce)
        probe = facts(duration) if name == "probe" else None
        quality = Quality(checks=()) if name == "verify" else None
        return self.word(TaskSucceeded, name, worker=worker, nonce=nonce, outputs=outputs, probe=probe, quality=quality)

    def dispatches(self, name: str) -> Decision:
        return self.happens(Dispatch(self.task(name).id))

    def starts(self, name: str, *, worker: str = "w1", nonce: str = "n1") -> Decision:
        """Dispatched where it waits, and started."""
        if self.task(name).state is TaskState.PENDING:
            self.dispatches(name)
        return self.happens(self.word(TaskStarted, name, worker=worker, nonce=nonce))

    def does(self, *names: str, nonce: str = "n1", duration: float = 60.0) -> None:
        """Dispatched, started and succeeded, one after the other."""
        for name in names:
            self.starts(name, nonce=nonce)
            self.happens(self.result(name, nonce=nonce, duration=duration))

    def fails(
        self,
        name: str,
        code: str = "storage.unavailable",
        *,
        permanent: bool = False,
        crashed: bool = False,
        jitter: float = 0.5,
    ) -> Decision:
        """Started where it is not, and failed; the clock moves to where it may be tried again."""
        task = self.task(name)
        if task.not_before is not None:
            self.now = max(self.now, task.not_before)
        self.starts(name)
        word = self.word(TaskFailed, name, code=code, message="It broke.", permanent=permanent, crashed=crashed)
        return self.happens(word, jitter=jitter)
