"""What clients are shown, as pydantic models: a video, a list, a history. Pure; ids in, addresses out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from moviola.planner import Pass, Plan
from moviola.probe import Probe
from moviola.recipe import Recipe
from moviola.video import (
    TERMINAL_RUN_STATES,
    Failure,
    HistoryEntry,
    OutputFile,
    Run,
    RunState,
    Status,
    Task,
    TaskState,
    status_of,
)
from moviola_api.lookup import Sight
from moviola_api.progress import Glimpse, overall


class Document(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)


class StepDocument(Document):
    """A step of the recipe, and how the pass that covers it is doing; ``pass`` is null until there is a plan."""

    step: str
    state: TaskState
    pass_: str | None = Field(alias="pass")
    attempts: int
    progress: float
    worker: str | None = None


class OriginalDocument(Document):
    filename: str
    size: int | None
    sha256: str | None
    probe: Probe | None
    url: str


class FileDocument(Document):
    name: str
    url: str
    size: int
    sha256: str
    content_type: str

    @classmethod
    def of(cls, file: OutputFile, folder: str) -> Self:
        return cls(
            name=file.name,
            url=f"{folder}/{file.name}",
            size=file.size,
            sha256=file.sha256,
            content_type=file.content_type,
        )


class RunDocument(Document):
    """The latest run; ``failure`` tells how a reprocessing ended while the video stays ready."""

    id: str
    number: int
    state: RunState
    failure: Failure | None
    created_at: datetime
    finished_at: datetime | None


class VideoDocument(Document):
    """Sizes in bytes, durations in seconds, ``progress`` from 0 to 1."""

    id: str
    status: Status
    state: str
    title: str
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    priority: int
    progress: float
    eta_seconds: float | None
    recipe: Recipe | None
    plan: Plan | None
    steps: tuple[StepDocument, ...]
    original: OriginalDocument
    files: tuple[FileDocument, ...]
    failure: Failure | None
    last_run: RunDocument | None
    cancel_requested_at: datetime | None
    created_at: datetime
    updated_at: datetime


class VideoList(Document):
    data: tuple[VideoDocument, ...]
    next_cursor: str | None


class HistoryDocument(Document):
    """``subject`` is ``run``, or the name of a pass."""

    id: str
    run_id: str
    at: datetime
    subject: str
    previous: str | None
    state: str
    event: str
    cause: str
    worker: str | None
    attempt: int | None

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class HistoryList(Document):
    data: tuple[HistoryDocument, ...]


class PlanDocument(Document):
    """A dry run: what the recipe would cost on this video."""

    plan: Plan
    generations: int
    passes: int


def video_document(sight: Sight, live: Mapping[str, Glimpse]) -> VideoDocument:
    """The document of a video; *live* are the glimpses of its latest run's passes."""
    video, latest, serving = sight.video, sight.latest, sight.serving
    status = status_of(video, latest, serving)
    how_far = _how_far(sight, live)
    folder = f"/v1/videos/{video.id}/files"
    facts = next((run.probe for run in (latest, serving) if run is not None and run.probe is not None), None)
    return VideoDocument(
        id=video.id,
        status=status,
        state=_state(sight, status),
        title=video.title,
        tags=video.tags,
        metadata=video.metadata,
        priority=video.priority,
        progress=how_far.done,
        eta_seconds=how_far.eta_seconds,
        recipe=video.recipe,
        plan=latest.plan if latest is not None else None,
        steps=_steps(sight, live),
        original=OriginalDocument(
            filename=video.filename, size=video.size, sha256=video.sha256, probe=facts, url=f"{folder}/original"
        ),
        files=tuple(FileDocument.of(file, folder) for file in serving.files) if serving is not None else (),
        failure=latest.failure if latest is not None and status is not Status.READY else None,
        last_run=_run(latest) if latest is not None else None,
        cancel_requested_at=video.cancel_requested_at,
        created_at=video.created_at,
        updated_at=max(video.updated_at, latest.updated_at) if latest is not None else video.updated_at,
    )


def _how_far(sight: Sight, live: Mapping[str, Glimpse]) -> Glimpse:
    if sight.latest is None:
        return Glimpse(0.0)
    if sight.serving is not None and sight.latest.state in TERMINAL_RUN_STATES:
        return Glimpse(1.0, 0.0)
    glimpse = overall(sight.latest, sight.tasks, live)
    eta = round(glimpse.eta_seconds, 1) if glimpse.eta_seconds is not None else None
    return Glimpse(round(glimpse.done, 4), eta)


def _state(sight: Sight, status: Status) -> str:
    if sight.latest is None:
        return sight.video.state.value
    # A reprocessing that failed or was canceled leaves the video as it was.
    if status is Status.READY and sight.latest.state in TERMINAL_RUN_STATES:
        return RunState.READY.value
    return sight.latest.state.value


def _run(run: Run) -> RunDocument:
    return RunDocument(
        id=run.id,
        number=run.number,
        state=run.state,
        failure=run.failure,
        created_at=run.created_at,
        finished_at=run.finished_at,
    )


def _steps(sight: Sight, live: Mapping[str, Glimpse]) -> tuple[StepDocument, ...]:
    run = sight.latest
    recipe = run.recipe if run is not None else sight.video.recipe
    tasks = {task.name: task for task in sight.tasks}
    covering = {index: one for one in (run.plan.passes if run is not None and run.plan else ()) for index in one.covers}
    return tuple(
        _step(step.step, covering.get(index), tasks, live) for index, step in enumerate(recipe.steps if recipe else ())
    )


def _step(name: str, one: Pass | None, tasks: Mapping[str, Task], live: Mapping[str, Glimpse]) -> StepDocument:
    task = tasks.get(one.name) if one is not None else None
    if one is None or task is None:
        planned = one.name if one is not None else None
        return StepDocument(step=name, state=TaskState.PENDING, pass_=planned, attempts=0, progress=0.0)
    done = 1.0 if task.state is TaskState.SUCCEEDED else live.get(task.name, Glimpse(0.0)).done
    begun = task.attempt if task.started_at is not None or task.attempt > 1 else 0
    return StepDocument(
        step=name, state=task.state, pass_=one.name, attempts=begun, progress=round(done, 4), worker=task.worker
    )
