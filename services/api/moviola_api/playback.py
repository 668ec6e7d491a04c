"""Files over HTTP: ranges, conditions, HEAD; streamed from the storage in constant memory."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from moviola.errors import MoviolaError, NotFound, ObjectNotFound
from moviola.planner import ORIGINAL
from moviola.video import Run, RunState, Video
from moviola_api.conditions import Validators, Verdict
from moviola_api.connection import ClientGone
from moviola_api.context import context_of, tenant_of
from moviola_api.lookup import find, run_id_of, video_id_of
from moviola_api.naming import content_disposition, content_type_of, content_type_of_original, download_name
from moviola_api.problems import precondition_failed, range_not_satisfiable
from moviola_api.ranges import ByteRange, Multipart, parse_ranges

log = structlog.get_logger(__name__)

# May change with the next run, so a browser must ask; what belongs to a run never changes.
NEWEST = "private, no-cache"
OF_A_RUN = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playable:
    """An object as a client sees it; ``pin`` is the storage's ETag where it must be that version."""

    key: str
    size: int
    validators: Validators
    content_type: str
    filename: str
    cache_control: str
    pin: str | None = None


async def send_file(request: web.Request) -> web.StreamResponse:
    """``…/files/{name}``: the original, or a file of the newest run that is ready."""
    name = request.match_info["name"]
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id_of(request))
    if name == ORIGINAL:
        return await _send(request, _original(found.video))
    return await _send(request, _output(found.video, found.serving, name, NEWEST))


async def send_file_of_run(request: web.Request) -> web.StreamResponse:
    """``…/runs/{run}/files/{name}``: the same for ever."""
    video_id, run_id = video_id_of(request), run_id_of(request)
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id)
        run = await transaction.runs.get(run_id)
    if run is None or run.video_id != video_id or run.state is not RunState.READY:
        raise NotFound("There is no such run with files.", code="run.not_found")
    return await _send(request, _output(found.video, run, request.match_info["name"], OF_A_RUN))


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
    file = next((one for one in (run.files if run is not None else ()) if one.name == name), None)
    if run is None or file is None:
        raise NotFound("This video has no such file.", code="file.not_found")
    return Playable(
        key=file.key,
        size=file.size,
        validators=Validators(file.sha256, run.finished_at or run.created_at),
        content_type=content_type_of(name),
        filename=download_name(name, video.filename),
        cache_control=cache_control,
    )


async def _send(request: web.Request, file: Playable) -> web.StreamResponse:
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": file.validators.etag_header,
        "Last-Modified": file.validators.modified_header,
        "Cache-Control": file.cache_control,
    }
    verdict = file.validators.judge(request.headers)
    if verdict is Verdict.FAILED:
        return precondition_failed(request)
    if verdict is Verdict.NOT_MODIFIED:
        return web.Response(status=304, headers=headers)
    ranges = _ranges(request, file)
    if ranges is not None and not ranges:
        return range_not_satisfiable(request, file.size)
    kind = "attachment" if request.query.get("download") in ("1", "true") else "inline"
    headers["Content-Disposition"] = content_disposition(kind, file.filename)
    # Whatever was uploaded, a browser must not run it as a page of ours.
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return await _stream(request, file, headers, ranges)


def _ranges(request: web.Request, file: Playable) -> Sequence[ByteRange] | None:
    """None: all of it. Ranges are defined for GET alone (RFC 9110, section 14.2)."""
    header = request.headers.get("Range")
    if header is None or request.method != "GET" or not file.validators.allow_range(request.headers.get("If-Range")):
        return None
    return parse_ranges(header, file.size)


async def _stream(
    request: web.Request, file: Playable, headers: dict[str, str], ranges: Sequence[ByteRange] | None
) -> web.StreamResponse:
    response = web.StreamResponse(status=200 if ranges is None else 206, headers=headers)
    response.content_length, response.headers["Content-Type"] = file.size, file.content_type
    if ranges is None:
        return await _write(request, response, file, [ByteRange(0, file.size)], None)
    if len(ranges) == 1:
        response.content_length = ranges[0].length
        response.headers["Content-Range"] = ranges[0].content_range(file.size)
        return await _write(request, response, file, ranges, None)
    body = Multipart(ranges, file.size, file.content_type, secrets.token_hex(16))
    response.content_length, response.headers["Content-Type"] = body.length, body.content_type
    return await _write(request, response, file, ranges, body)


async def _write(
    request: web.Request,
    response: web.StreamResponse,
    file: Playable,
    ranges: Sequence[ByteRange],
    multipart: Multipart | None,
) -> web.StreamResponse:
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    try:
        for index, one in enumerate(ranges):
            await _write_range(request, response, file, one, multipart.head(index) if multipart else b"")
        if multipart is not None:
            await response.write(multipart.closing)
        await response.write_eof()
    except ConnectionError as error:
        raise ClientGone("The client left in the middle of a file.") from error
    except ObjectNotFound as error:
        log.warning("object of a file is missing", key=file.key)
        raise NotFound("The file is gone.", code="file.not_found") from error
    except MoviolaError as error:
        log.warning("file could not be read", key=file.key, reason=str(error))
        raise
    return response


async def _write_range(
    request: web.Request, response: web.StreamResponse, file: Playable, one: ByteRange, head: bytes
) -> None:
    context = context_of(request)
    async with context.storage.read(file.key, start=one.start, end=one.end, etag=file.pin) as chunks:
        # Only now is it known that there is something to send.
        if not response.prepared:
            await response.prepare(request)
        if head:
            await response.write(head)
        async for chunk in chunks:
            await response.write(chunk)
            context.metrics.sent.inc(len(chunk))
