"""What clients are shown, as pydantic models: a video, a list, a plan."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from moviola.plan import Pass, Plan
from moviola.probe import Probe
from moviola.quality import Quality
from moviola.recipe import Recipe
from moviola.video import Failure, OutputFile, Run, RunState, Status, TaskState, Video


class Document(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)


class StepDocument(Document):
    """A step of the recipe, and how the pass that covers it is doing; ``pass`` is null until there is a plan.

    ``cached``: all of it is what another run had made.
    """

    step: str
    state: TaskState
    pass_: str | None = Field(alias="pass")
    attempts: int
    progress: float
    worker: str | None = None
    cached: bool = False


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
    """The latest run; ``failure`` and ``quality`` tell how a reprocessing ended while the video stays ready."""

    id: str
    number: int
    state: RunState
    failure: Failure | None
    quality: Quality | None = None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: Run, **more: object) -> Self:
        shown = {name: getattr(run, name) for name in RunDocument.model_fields}
        return cls.model_validate({**shown, **more})

    @classmethod
    def awaited(cls, video: Video, latest: Run | None, **more: object) -> Self:
        """The run that was asked for and is still to be made."""
        number = latest.number + 1 if latest is not None else 1
        about = {"id": video.wanted_run, "number": number, "state": RunState.UPLOADED, "failure": None}
        return cls.model_validate({**about, "created_at": video.updated_at, "finished_at": None, **more})


class RunDetails(RunDocument):
    """One of a video's runs; ``serving``: its files are the video's. ``files`` has addresses that never change."""

    video_id: str
    recipe: Recipe | None
    plan: Plan | None = None
    files: tuple[FileDocument, ...] = ()
    serving: bool = False


class RunList(Document):
    data: tuple[RunDetails, ...]


class VideoDocument(Document):
    """Sizes in bytes, durations in seconds, ``progress`` from 0 to 1; ``quality`` is the report on the files."""

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
    quality: Quality | None = None
    failure: Failure | None
    last_run: RunDocument | None
    cancel_requested_at: datetime | None
    created_at: datetime
    updated_at: datetime


class VideoList(Document):
    data: tuple[VideoDocument, ...]
    next_cursor: str | None


class CostedPass(Pass):
    """A pass; ``cached``: its result is there already."""

    cached: bool


class CostedPlan(Plan):
    """A plan that says of each pass what is known of its cost."""

    passes: tuple[CostedPass, ...]


class PlanDocument(Document):
    """A dry run: what the recipe would cost on this video."""

    plan: CostedPlan
    generations: int
    passes: int
