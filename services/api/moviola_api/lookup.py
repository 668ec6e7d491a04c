"""Find a video for a client: someone else's, a deleted one and nonsense are all simply not found."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from moviola.errors import NotFound
from moviola.ports.video_store import Transaction, VideoWithRuns
from moviola.video import Run, RunId, Task, Tenant, Video, VideoId, VideoState
from moviola_api.context import context_of, tenant_of


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a video's document shows: the video, its latest run with its tasks, and the run that serves it."""

    video: Video
    latest: Run | None
    serving: Run | None
    tasks: Sequence[Task]


def video_id_of(request: web.Request) -> VideoId:
    """The id in the address, in its canonical form; ``NotFound`` where it can't be one."""
    return VideoId(_uuid(request.match_info["video_id"], "video"))


def run_id_of(request: web.Request) -> RunId:
    return RunId(_uuid(request.match_info["run_id"], "run"))


def _uuid(text: str, what: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise NotFound(f"There is no such {what}.", code=f"{what}.not_found") from error


async def find(transaction: Transaction, tenant: Tenant, video_id: VideoId) -> VideoWithRuns:
    """The video and its runs; ``NotFound`` for a deleted one too."""
    found = await transaction.videos.get(tenant, video_id)
    if found is None or found.video.state is VideoState.DELETED:
        raise NotFound("There is no such video.", code="video.not_found")
    return found


async def see(transaction: Transaction, found: VideoWithRuns) -> Sight:
    """*found* with the tasks of its latest run."""
    tasks = await transaction.tasks.of_run(found.latest.id) if found.latest is not None else ()
    return Sight(found.video, found.latest, found.serving, tasks)


async def sight_of(request: web.Request) -> Sight:
    """The video that the address names."""
    video_id = video_id_of(request)
    async with context_of(request).store.snapshot() as transaction:
        return await see(transaction, await find(transaction, tenant_of(request), video_id))
