"""The records: a video, its runs, their tasks, and what is told of them.

All are frozen values; a change is a new value made with ``dataclasses.replace`` and saved with the version that was
read. Times are aware UTC datetimes, durations seconds, sizes bytes, ids UUIDv7 in their canonical text form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

import uuid_utils
from pydantic import BaseModel, ConfigDict

from moviola.plan import Plan
from moviola.probe import Loudness, Probe
from moviola.quality import Quality
from moviola.recipe import Recipe

VideoId = NewType("VideoId", str)
RunId = NewType("RunId", str)
TaskId = NewType("TaskId", str)
KeyId = NewType("KeyId", str)
Tenant = NewType("Tenant", str)

DEFAULT_TENANT = Tenant("default")


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): later ids sort behind earlier ones."""
    return str(uuid_utils.uuid7())


def utc_now() -> datetime:
    return datetime.now(UTC)


class VideoState(StrEnum):
    """What the API knows of a video; ``deleted`` is a tombstone that nobody is shown."""

    WAITING_UPLOAD = "waiting_upload"
    UPLOADED = "uploaded"
    DELETED = "deleted"


class Status(StrEnum):
    """The coarse status that clients rely on."""

    WAITING_UPLOAD = "waiting_upload"
    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"


class RunState(StrEnum):
    """Where a run is; where passes run side by side, the earliest unfinished one in the plan's order."""

    UPLOADED = "uploaded"
    PROBING = "probing"
    TRIMMING = "trimming"
    RESIZING = "resizing"
    WATERMARKING = "watermarking"
    MUTING = "muting"
    DOWNMIXING = "downmixing"
    NORMALIZING = "normalizing"
    MEASURING = "measuring"
    RENDERING = "rendering"
    THUMBNAILING = "thumbnailing"
    PACKAGING = "packaging"
    VERIFYING = "verifying"
    READY = "ready"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"


TERMINAL_RUN_STATES = frozenset({RunState.READY, RunState.FAILED, RunState.CANCELED})


class TaskState(StrEnum):
    PENDING = "pending"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


TERMINAL_TASK_STATES = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELED})


class OutputFile(BaseModel):
    """A file that a task made: ``name`` as the client sees it, ``key`` where the object lies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    key: str
    size: int
    sha256: str
    content_type: str


class Failure(BaseModel):
    """Why a task or run failed; ``code`` is stable, ``step`` the pass's name, ``message`` for a person."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    step: str
    message: str


class Findings(BaseModel):
    """What a task found besides the files that it made, under the names of ``TaskSucceeded``.

    ``source_sha256`` is the original's, from a probe.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    probe: Probe | None = None
    loudness: Loudness | None = None
    quality: Quality | None = None
    source_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What a client uploaded. Only the API writes it.

    ``object_etag`` pins the original: a worker that finds another one fails with ``storage.input_changed``.
    ``recipe`` None means: store and probe only. ``key_id`` is the API key that it was uploaded with. ``wanted_run`` is
    the id of the run that was asked for last, None for the first one; where it has ``retry_of``, it takes over what
    that run has done. ``cancel_requested_at`` is about the run that was asked for last.
    """

    id: VideoId
    tenant: Tenant
    state: VideoState
    title: str
    filename: str
    content_type: str
    object_key: str
    object_etag: str | None = None
    size: int | None = None
    sha256: str | None = None
    recipe: Recipe | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    cancel_requested_at: datetime | None = None
    key_id: KeyId | None = None
    wanted_run: RunId | None = None
    retry_of: RunId | None = None
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One walk of a video through one plan. Only the orchestrator writes it.

    ``number`` counts the runs of a video from 1. ``plan`` and ``probe`` are None until the probe task has answered.
    ``files`` are the results, complete when the state is ``ready``. ``quality`` is the report of the last look at them.
    ``source_sha256`` is the original's, once known.
    """

    id: RunId
    video_id: VideoId
    tenant: Tenant
    number: int
    state: RunState
    recipe: Recipe | None
    plan: Plan | None = None
    probe: Probe | None = None
    files: tuple[OutputFile, ...] = ()
    failure: Failure | None = None
    quality: Quality | None = None
    priority: int = 0
    key_id: KeyId | None = None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    version: int = 1
    source_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One pass of a run, sent to one worker queue. Only the orchestrator writes it.

    ``attempt`` is the number of the current attempt, from 1; ``charged`` counts the attempts that ended badly, and
    ``crashes`` those of them where the child died. ``worker`` and ``nonce`` name the owner of the current attempt: only
    its messages count. ``not_before`` holds back a retry. ``lease_until`` moves on with every heartbeat. ``cost`` is
    what it is expected to take, and ``key_id`` whose share of the workers that is.

    ``result_key`` is the fingerprint of its result, by which the step cache finds it. A task that took another run's
    result has that run as ``result_of``, and as ``origin`` the video below whose prefix the outputs lie (its own too).
    """

    id: TaskId
    run_id: RunId
    video_id: VideoId
    tenant: Tenant
    name: str
    kind: str
    state: TaskState
    attempt: int = 1
    charged: int = 0
    crashes: int = 0
    priority: int = 0
    key_id: KeyId | None = None
    cost: float = 0.0
    not_before: datetime | None = None
    worker: str | None = None
    nonce: str | None = None
    dispatched_at: datetime | None = None
    started_at: datetime | None = None
    lease_until: datetime | None = None
    deadline: datetime | None = None
    finished_at: datetime | None = None
    outputs: tuple[OutputFile, ...] = ()
    failure: Failure | None = None
    created_at: datetime
    found: Findings | None = None
    result_key: str | None = None
    result_of: RunId | None = None
    origin: VideoId | None = None

    @property
    def cached(self) -> bool:
        """Whether its result is one that another run had made."""
        return self.result_of is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One transition: what it was, what it became, which event caused it, and who sent that. Append-only.

    ``subject`` is ``run`` or a pass's name. ``attempt`` is the one that a task moved from.
    """

    id: str
    video_id: VideoId
    run_id: RunId
    tenant: Tenant
    at: datetime
    subject: str
    previous: str | None
    state: str
    event: str
    cause: str
    worker: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that announced itself: the kinds it takes, how many tasks at once, and when it was last heard.

    ``strikes`` counts the tasks that it failed in a row by its own fault; until ``resting_until`` it gets none.
    Workers of the same ``engine`` make the same of the same task; empty: it does not say.
    """

    id: str
    kinds: tuple[str, ...]
    version: str
    capacity: int
    seen_at: datetime
    strikes: int = 0
    resting_until: datetime | None = None
    engine: str = ""

    def rests(self, now: datetime) -> bool:
        return self.resting_until is not None and self.resting_until > now


STATUS_OF_RUN_STATE: Mapping[RunState, Status] = {
    state: {
        RunState.UPLOADED: Status.QUEUED,
        RunState.READY: Status.READY,
        RunState.FAILED: Status.FAILED,
        RunState.CANCELED: Status.CANCELED,
    }.get(state, Status.PROCESSING)
    for state in RunState
}


def awaits_run(video: Video, latest: Run | None) -> bool:
    """Whether the run that was asked for last is still to be made."""
    return latest is None or video.wanted_run not in (None, latest.id)


def status_of(video: Video, latest: Run | None, serving: Run | None) -> Status:
    """The coarse status, from the video, its latest run and its newest ready run (which may be the same).

    A ready video stays ready while a reprocessing runs, and when it fails or is canceled.
    """
    if video.state is VideoState.WAITING_UPLOAD:
        return Status.WAITING_UPLOAD
    if serving is not None:
        return Status.READY
    if latest is None or awaits_run(video, latest):
        return Status.QUEUED
    return STATUS_OF_RUN_STATE[latest.state]
