"""Which file an address means: the original, a file of the newest run that is ready, or of one run for ever."""

from http import HTTPStatus

from aiohttp import web

from moviola.errors import NotFound
from moviola.plan import ORIGINAL
from moviola.video import OutputFile, Run, RunState, Video
from moviola_api.conditions import Validators
from moviola_api.context import context_of, tenant_of
from moviola_api.delivery import Playable, send
from moviola_api.lookup import find, run_id_of, video_id_of
from moviola_api.naming import content_type_of, content_type_of_original, download_name

# May change with the next run, so a browser must ask; what belongs to a run never changes.
NEWEST = "private, no-cache"
OF_A_RUN = "private, max-age=31536000, immutable"
PLAYLIST = ".m3u8"


async def send_file(request: web.Request) -> web.StreamResponse:
    """``…/files/{name}``: the original, or a file of the newest run that is ready."""
    name = request.match_info["name"]
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id_of(request))
    if name == ORIGINAL:
        return await send(request, _original(found.video))
    if name.endswith(PLAYLIST):
        return _to_run(request, found.serving, name)
    return await send(request, _output(found.video, found.serving, name, NEWEST))


async def send_file_of_run(request: web.Request) -> web.StreamResponse:
    """``…/runs/{run}/files/{name}``: the same for ever."""
    video_id, run_id = video_id_of(request), run_id_of(request)
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id)
        run = await transaction.runs.get(run_id)
    if run is None or run.video_id != video_id or run.state is not RunState.READY:
        raise NotFound("There is no such run with files.", code="run.not_found")
    return await send(request, _output(found.video, run, request.match_info["name"], OF_A_RUN))


def _to_run(request: web.Request, run: Run | None, name: str) -> web.Response:
    """To the playlist of the run that is the newest now.

    What it names it names relative to itself, so that a player stays with this run's files when there is a newer one.
    """
    run, _ = _named(run, name)
    # Relative, since there may be a proxy's prefix, or a signature, in front of our paths.
    up = "../" * (name.count("/") + 1)
    query = f"?{request.query_string}" if request.query_string else ""
    place = f"{up}runs/{run.id}/files/{name}{query}"
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": place, "Cache-Control": NEWEST})


def _original(video: Video) -> Playable:
    if video.size is None or video.object_etag is None:
        raise NotFound("The original has not arrived yet.", code="file.not_found")
    return Playable(
        key=video.object_key,
        size=video.size,
        validators=Validators(video.sha256 or video.object_etag, video.created_at),
        content_type=content_type_of_original(video.filename),
        filename=download_name(ORIGINAL, video.filename),
        cache_control=NEWEST,
        pin=video.object_etag,
    )


def _output(video: Video, run: Run | None, name: str, cache_control: str) -> Playable:
    run, file = _named(run, name)
    return Playable(
        key=file.key,
        size=file.size,
        validators=Validators(file.sha256, run.finished_at or run.created_at),
        content_type=content_type_of(name),
        filename=download_name(name, video.filename),
        cache_control=cache_control,
    )


def _named(run: Run | None, name: str) -> tuple[Run, OutputFile]:
    """The file of that name; ``NotFound``."""
    file = next((one for one in (run.files if run is not None else ()) if one.name == name), None)
    if run is None or file is None:
        raise NotFound("This video has no such file.", code="file.not_found")
    return run, file
