"""What goes over the bus: commands in the imperative, events in the past tense, JSON bodies.

Every message has an integer ``v``; unknown fields are ignored, an unknown type or version is a ``MalformedMessage`` and
goes to the dead letters. Times on the wire are RFC 3339 in UTC.

    from             message                                                      read by
    a producer       video.submitted                                              the API (``moviola.ingest``)
    the API          video.uploaded, video.cancel_requested, video.retry_requested,
                     video.reprocess_requested, video.delete_requested, video.rejected
    the orchestrator TaskCommand (one subclass a kind), CancelTasks, RestWorker   workers
                     video.state_changed, video.ready, video.failed, video.canceled, video.deleted
    workers          task.started, task.heartbeat, task.progress,
                     task.succeeded, task.failed, task.released, task.canceled, worker.alive
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from moviola.errors import MalformedMessage
from moviola.plan import Edit, Kind, Measure, Package, Parameters, Poster, Preview, ReadFacts, Storyboard
from moviola.probe import Loudness, Probe
from moviola.quality import Quality, Verify
from moviola.video import Failure, OutputFile, RunId, RunState, Status, TaskId, Tenant, VideoId


class Message(BaseModel):
    """Base of all; ``type`` is the AMQP ``type`` property and, for events, the routing key."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]
    v: Literal[1] = 1


class Event(Message):
    """Something happened; published on ``moviola.events`` with its type as routing key."""


class VideoEvent(Event):
    """Something happened to a video."""

    video_id: VideoId
    tenant: Tenant


class VideoUploaded(VideoEvent):
    """It is stored; ``submission`` is the ``message_id`` of the ``video.submitted`` that announced it, if one did."""

    submission: str | None = None
    type: ClassVar[str] = "video.uploaded"


class VideoCancelRequested(VideoEvent):
    """A client asked for the end of what runs."""

    type: ClassVar[str] = "video.cancel_requested"


class VideoRetryRequested(VideoEvent):
    """What the latest run, which failed or was canceled, has not done is to be done by one with the id ``run_id``."""

    type: ClassVar[str] = "video.retry_requested"
    run_id: RunId


class VideoReprocessRequested(VideoEvent):
    """Another run is to be made, with the id ``run_id`` and the video's present recipe."""

    type: ClassVar[str] = "video.reprocess_requested"
    run_id: RunId


class VideoDeleteRequested(VideoEvent):
    """It is gone for clients; its objects are yet to be removed."""

    type: ClassVar[str] = "video.delete_requested"


class VideoStateChanged(VideoEvent):
    """A run moved on; ``entry_id`` is the history entry's id, the event id of SSE."""

    type: ClassVar[str] = "video.state_changed"
    entry_id: str
    run_id: RunId
    previous: RunState | None
    state: RunState
    status: Status
    cause: str
    at: datetime


class VideoReady(VideoEvent):
    """A run has ended well; ``files`` are its results."""

    type: ClassVar[str] = "video.ready"
    run_id: RunId
    files: tuple[OutputFile, ...]


class VideoFailed(VideoEvent):
    """A run has failed."""

    type: ClassVar[str] = "video.failed"
    run_id: RunId
    failure: Failure


class VideoCanceled(VideoEvent):
    """A run was stopped because somebody asked for it."""

    type: ClassVar[str] = "video.canceled"
    run_id: RunId


class VideoDeleted(VideoEvent):
    """The objects are gone too, but for results that other videos share."""

    type: ClassVar[str] = "video.deleted"


class VideoRejected(Event):
    """The answer to a ``video.submitted`` that can't be taken; ``submission`` is its ``message_id``."""

    type: ClassVar[str] = "video.rejected"
    tenant: Tenant
    submission: str
    code: str
    message: str


class SubmittedObject(BaseModel):
    """An object in the bucket, below ``incoming/{tenant}/``; ``etag`` pins it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    key: str = Field(min_length=1, max_length=1024)
    etag: str | None = None


class VideoSubmitted(Message):
    """A producer outside announces a video. The AMQP ``message_id`` dedupes.

    ``recipe`` is a recipe, a stored recipe's name, or null to store and probe only; left out, it is the default recipe.
    It is read as plain JSON here and validated by the API, which answers a bad one with ``video.rejected``.
    """

    type: ClassVar[str] = "video.submitted"
    object: SubmittedObject
    recipe: dict[str, JsonValue] | str | None = "showcase"
    title: str | None = Field(default=None, max_length=300)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = Field(default_factory=dict)
    priority: int = Field(default=0, ge=-100, le=100)


class ObjectRef(BaseModel):
    """An object to read; ``etag`` or ``sha256``, where given, must be the object's."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    key: str
    etag: str | None = None
    size: int | None = None
    sha256: str | None = None


class Limits(BaseModel):
    """What a task may cost; sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    max_bytes: int = 20 * 1024**3
    max_pixels: int = 7680 * 4320
    max_side: int = 16384
    max_seconds: float = 6 * 3600.0
    max_frames: int = 2_000_000
    max_frame_rate: float = 240.0
    max_streams: int = 32
    open_seconds: float = 10.0
    stall_seconds: float = 120.0


class TaskCommand(Message):
    """Do one pass. It carries all that the worker needs; outputs go below ``output_prefix`` (ends in a slash)."""

    kind: ClassVar[Kind]
    task_id: TaskId
    run_id: RunId
    video_id: VideoId
    tenant: Tenant
    name: str
    attempt: int = Field(ge=1)
    source: ObjectRef
    resources: Mapping[str, ObjectRef] = Field(default_factory=dict)
    output_prefix: str
    files: tuple[str, ...] = ()
    parameters: Parameters
    limits: Limits = Limits()
    lease_seconds: float = 30.0
    deadline: datetime


class ProbeVideo(TaskCommand):
    type: ClassVar[str] = "task.probe"
    kind: ClassVar[Kind] = "probe"
    parameters: ReadFacts


class TrimVideo(TaskCommand):
    type: ClassVar[str] = "task.trim"
    kind: ClassVar[Kind] = "trim"
    parameters: Edit


class ResizeVideo(TaskCommand):
    type: ClassVar[str] = "task.resize"
    kind: ClassVar[Kind] = "resize"
    parameters: Edit


class WatermarkVideo(TaskCommand):
    type: ClassVar[str] = "task.watermark"
    kind: ClassVar[Kind] = "watermark"
    parameters: Edit


class MuteVideo(TaskCommand):
    type: ClassVar[str] = "task.mute"
    kind: ClassVar[Kind] = "mute"
    parameters: Edit


class DownmixVideo(TaskCommand):
    type: ClassVar[str] = "task.downmix"
    kind: ClassVar[Kind] = "downmix"
    parameters: Edit


class NormalizeVideo(TaskCommand):
    type: ClassVar[str] = "task.normalize"
    kind: ClassVar[Kind] = "normalize"
    parameters: Edit


class MeasureSound(TaskCommand):
    type: ClassVar[str] = "task.measure"
    kind: ClassVar[Kind] = "measure"
    parameters: Measure


class RenderVideo(TaskCommand):
    type: ClassVar[str] = "task.render"
    kind: ClassVar[Kind] = "render"
    parameters: Edit


class PackageVideo(TaskCommand):
    type: ClassVar[str] = "task.package"
    kind: ClassVar[Kind] = "package"
    parameters: Package


class CutThumbnails(TaskCommand):
    type: ClassVar[str] = "task.thumbnails"
    kind: ClassVar[Kind] = "thumbnails"
    parameters: Annotated[Poster | Storyboard | Preview, Field(discriminator="task")]


class VerifyResult(TaskCommand):
    type: ClassVar[str] = "task.verify"
    kind: ClassVar[Kind] = "verify"
    parameters: Verify


COMMANDS: Mapping[Kind, type[TaskCommand]] = {
    command.kind: command
    for command in (
        ProbeVideo,
        TrimVideo,
        ResizeVideo,
        WatermarkVideo,
        MuteVideo,
        DownmixVideo,
        NormalizeVideo,
        MeasureSound,
        RenderVideo,
        PackageVideo,
        CutThumbnails,
        VerifyResult,
    )
}


class CancelTasks(Message):
    """A hint to all workers: stop these attempts, whoever runs them. ``nonce`` spares the rightful owner.

    Without ``except_nonce`` every run of the task is stopped; with it only those of another nonce.
    """

    type: ClassVar[str] = "tasks.cancel"
    task_ids: tuple[TaskId, ...]
    except_nonce: str | None = None


class RestWorker(Message):
    """A hint to one worker: take no task for so many seconds, since it failed one after the other; 0: go on."""

    type: ClassVar[str] = "worker.rest"
    worker: str
    seconds: float = Field(ge=0)


class TaskEvent(Event):
    """From a worker, about one attempt; ``nonce`` is the worker's own random name for it, the fence."""

    task_id: TaskId
    run_id: RunId
    video_id: VideoId
    tenant: Tenant
    name: str
    attempt: int
    worker: str
    nonce: str


class TaskStarted(TaskEvent):
    """The worker has taken the attempt."""

    type: ClassVar[str] = "task.started"


class TaskHeartbeat(TaskEvent):
    """The child made real progress since the last one: renew the lease."""

    type: ClassVar[str] = "task.heartbeat"
    progress: float = Field(ge=0, le=1)


class TaskProgress(TaskEvent):
    """Transient: shown, never stored. ``progress`` 0 to 1, ``eta_seconds`` for this pass."""

    type: ClassVar[str] = "task.progress"
    progress: float = Field(ge=0, le=1)
    eta_seconds: float | None = None


class TaskSucceeded(TaskEvent):
    """``outputs`` are the objects written; ``probe`` the facts, from a probe task, ``loudness`` what was measured.

    ``quality`` is what a verify task found, good or bad. ``engine`` is what made it: the code of the steps and the
    codecs, as in ``WorkerAlive``.
    """

    type: ClassVar[str] = "task.succeeded"
    outputs: tuple[OutputFile, ...] = ()
    probe: Probe | None = None
    loudness: Loudness | None = None
    quality: Quality | None = None
    source_sha256: str | None = None
    engine: str = ""


class TaskFailed(TaskEvent):
    """``permanent``: another attempt would end the same way. ``crashed``: the child died without a word."""

    type: ClassVar[str] = "task.failed"
    code: str
    message: str
    permanent: bool
    crashed: bool = False


class TaskReleased(TaskEvent):
    """The worker hands the task back unfinished (it is told to stop); the attempt is not charged."""

    type: ClassVar[str] = "task.released"


class TaskCanceled(TaskEvent):
    """The worker stopped the attempt because it was told to."""

    type: ClassVar[str] = "task.canceled"


class WorkerAlive(Event):
    """``capacity`` tasks at once; ``leaving`` once it drains. Those of the same ``engine`` make the same of a task."""

    type: ClassVar[str] = "worker.alive"
    worker: str
    kinds: tuple[Kind, ...]
    version: str
    capacity: int
    leaving: bool = False
    engine: str = ""


EVENTS: tuple[type[Event], ...] = (
    VideoUploaded,
    VideoCancelRequested,
    VideoRetryRequested,
    VideoReprocessRequested,
    VideoDeleteRequested,
    VideoStateChanged,
    VideoReady,
    VideoFailed,
    VideoCanceled,
    VideoDeleted,
    VideoRejected,
    TaskStarted,
    TaskHeartbeat,
    TaskProgress,
    TaskSucceeded,
    TaskFailed,
    TaskReleased,
    TaskCanceled,
    WorkerAlive,
)
ALL: tuple[type[Message], ...] = (*EVENTS, *COMMANDS.values(), VideoSubmitted, CancelTasks, RestWorker)
MESSAGES: Mapping[str, type[Message]] = {message.type: message for message in ALL}


def parse_message(type_name: str, body: bytes) -> Message:
    """The message of that type in *body*; ``MalformedMessage`` for an unknown type or version, or a wrong form."""
    message = MESSAGES.get(type_name)
    if message is None:
        raise MalformedMessage(f"There is no message type {type_name!r}.")
    try:
        return message.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, first["loc"]))
        raise MalformedMessage(f"A {type_name} message is malformed at /{where}: {first['msg']}.") from error
