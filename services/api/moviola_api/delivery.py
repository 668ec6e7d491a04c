"""Send an object over HTTP: conditions, ranges, HEAD; streamed from the storage in constant memory."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from moviola.errors import MoviolaError, NotFound, ObjectNotFound
from moviola_api.conditions import Validators, Verdict
from moviola_api.connection import ClientGone
from moviola_api.context import context_of
from moviola_api.naming import content_disposition
from moviola_api.problems import precondition_failed, range_not_satisfiable
from moviola_api.ranges import ByteRange, Multipart, parse_ranges

log = structlog.get_logger(__name__)


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


async def send(request: web.Request, file: Playable) -> web.StreamResponse:
    """Answer a GET or HEAD for *file*; ``?download=1`` makes it an attachment. ``NotFound``, ``ClientGone``."""
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
