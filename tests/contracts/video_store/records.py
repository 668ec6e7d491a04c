"""Records to store; what a test does not name is the same in all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from moviola.messages import VideoUploaded
from moviola.ports.message_bus import Posting, post
from moviola.video import (
    DEFAULT_TENANT,
    HistoryEntry,
    Run,
    RunId,
    RunState,
    Task,
    TaskId,
    TaskState,
    Video,
    VideoId,
    VideoState,
    Worker,
    new_id,
)

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds from now."""
    return NOW + timedelta(seconds=seconds)


def a_video(**wanted: Any) -> Video:
    usual: dict[str, Any] = {
        "id": VideoId(new_id()),
        "tenant": DEFAULT_TENANT,
        "state": VideoState.UPLOADED,
        "title": "A film",
        "filename": "film.mp4",
        "content_type": "video/mp4",
        "object_key": "originals/default/film/original",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Video(**usual | wanted)


def a_run(video: Video, **wanted: Any) -> Run:
    usual: dict[str, Any] = {
        "id": RunId(new_id()),
        "video_id": video.id,
        "tenant": video.tenant,
        "number": 1,
        "state": RunState.UPLOADED,
        "recipe": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Run(**usual | wanted)


def a_task(run: Run, **wanted: Any) -> Task:
    usual: dict[str, Any] = {
        "id": TaskId(new_id()),
        "run_id": run.id,
        "video_id": run.video_id,
        "tenant": run.tenant,
        "name": "probe",
        "kind": "probe",
        "state": TaskState.PENDING,
        "created_at": NOW,
    }
    return Task(**usual | wanted)


def an_entry(run: Run, **wanted: Any) -> HistoryEntry:
    usual: dict[str, Any] = {
        "id": new_id(),
        "video_id": run.video_id,
        "run_id": run.id,
        "tenant": run.tenant,
        "at": NOW,
        "subject": "run",
        "previous": None,
        "state": "uploaded",
        "event": "video.uploaded",
        "cause": "the API",
    }
    return HistoryEntry(**usual | wanted)


def a_posting(**wanted: Any) -> Posting:
    return post(VideoUploaded(video_id=VideoId(new_id()), tenant=DEFAULT_TENANT), **wanted)


def a_worker(**wanted: Any) -> Worker:
    usual: dict[str, Any] = {
        "id": new_id(),
        "kinds": ("probe", "render"),
        "version": "0.1.0",
        "capacity": 2,
        "seen_at": NOW,
    }
    return Worker(**usual | wanted)
