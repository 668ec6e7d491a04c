"""Every error as a problem document (RFC 9457): the one place that maps our errors to HTTP.

``code`` is stable, ``detail`` is for a person, ``errors`` has a JSON pointer (RFC 6901) to each bad field.
"""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from moviola.errors import (
    Conflict,
    InvalidInput,
    MoviolaError,
    NoSpace,
    NotFound,
    ObjectChanged,
    ObjectNotFound,
    Refused,
    StaleVersion,
    TooLarge,
    Unavailable,
)
from moviola_api.connection import ClientGone, answer_began, request_id

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 2


class Forbidden(Refused):
    """Not from there, whoever asks."""

    code = "request.forbidden"


class Unauthenticated(Refused):
    """Who asks must show a key, or another one."""

    code = "auth.key_required"


class UnsupportedMediaType(Refused):
    """The body is of a type that is not read here."""

    code = "request.unsupported_media_type"


class Malformed(InvalidInput):
    """The body can't even be parsed."""

    code = "request.malformed"


class FieldProblem(BaseModel):
    """One bad field: where, why, and a stable word for it."""

    pointer: str
    detail: str
    code: str


class Problem(BaseModel):
    """The body of every answer that is not a success; ``request_id`` is in the service's log too."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    request_id: str


# The first class that fits decides; the order is from the special to the general.
_STATUS: tuple[tuple[type[Exception], HTTPStatus, str | None], ...] = (
    (Malformed, HTTPStatus.BAD_REQUEST, None),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY, None),
    (NotFound, HTTPStatus.NOT_FOUND, None),
    (Conflict, HTTPStatus.CONFLICT, None),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED, None),
    (Forbidden, HTTPStatus.FORBIDDEN, None),
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, None),
    (Refused, HTTPStatus.UNPROCESSABLE_ENTITY, None),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "service.unavailable"),
    (StaleVersion, HTTPStatus.SERVICE_UNAVAILABLE, "service.busy"),
    (ObjectNotFound, HTTPStatus.NOT_FOUND, "object.not_found"),
    (ObjectChanged, HTTPStatus.CONFLICT, "object.changed"),
    (NoSpace, HTTPStatus.INSUFFICIENT_STORAGE, "storage.no_space"),
)
_HIDDEN: Mapping[HTTPStatus, str] = {
    # What stands behind us is named in the log, not to the client.
    HTTPStatus.SERVICE_UNAVAILABLE: "A part of the service does not answer now. Try again in a moment.",
    HTTPStatus.INSUFFICIENT_STORAGE: "There is no room left to store this.",
}


_HEADERS: Mapping[HTTPStatus, Mapping[str, str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_SECONDS)},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="moviola"'},
}


def problem_response(request: web.Request, error: MoviolaError) -> web.Response:
    """The problem document for one of our own errors; 500 for one that should never have come this far."""
    known = next((entry for entry in _STATUS if isinstance(error, entry[0])), None)
    if known is None:
        return _internal(request, error)
    _, status, code = known
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request could not be met", reason=str(error), status=status.value)
    problem = Problem(
        title=status.phrase,
        status=status,
        code=code or getattr(error, "code", "request.refused"),
        detail=_HIDDEN.get(status, str(error)),
        errors=tuple(
            FieldProblem(pointer=one.pointer, detail=one.message, code=one.code)
            for one in (error.errors if isinstance(error, InvalidInput) else ())
        ),
        request_id=request_id(request),
    )
    return _response(problem, _HEADERS.get(status, {}))


def _of_http_error(request: web.Request, error: web.HTTPException) -> web.Response:
    status = HTTPStatus(error.status)
    codes = {404: "not_found", 405: "request.method_not_allowed", 413: "request.too_large"}
    details = {404: "There is nothing at this address.", 405: "This method is not allowed here."}
    allow = error.headers.get("Allow")
    code, detail = codes.get(status, "request.refused"), details.get(status, error.reason)
    return _plain(request, status, code, detail, {"Allow": allow} if allow else {})


def precondition_failed(request: web.Request) -> web.Response:
    """412: the file is not the one that the client thinks it is."""
    return _plain(request, HTTPStatus.PRECONDITION_FAILED, "file.precondition_failed", "The file has another ETag.")


def range_not_satisfiable(request: web.Request, size: int) -> web.Response:
    """416, with the size that there is."""
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    detail = f"The file has {size} bytes; nothing of it lies in the range."
    return _plain(request, status, "file.range_not_satisfiable", detail, {"Content-Range": f"bytes */{size}"})


def _plain(
    request: web.Request, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    problem = Problem(title=status.phrase, status=status, code=code, detail=detail, request_id=request_id(request))
    return _response(problem, headers or {})


def _internal(request: web.Request, error: Exception) -> web.Response:
    log.error("request failed unexpectedly", exc_info=error)
    detail = "Something went wrong on our side; the request id finds it in the log."
    return _plain(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)


def _response(problem: Problem, headers: Mapping[str, str]) -> web.Response:
    # An empty list would only make a reader wonder.
    body = problem.model_dump_json(exclude=None if problem.errors else {"errors"})
    return web.Response(
        text=body,
        status=problem.status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **headers},
    )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem document, or cut the connection where an answer has begun."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        response = _of_http_error(request, error)
    except (ClientGone, ConnectionError):
        # The adapters translate their own errors, so a broken connection here is the client's.
        log.info("client went away")
        return web.Response(status=HTTPStatus.BAD_REQUEST)
    except MoviolaError as error:
        response = problem_response(request, error)
    except Exception as error:
        response = _internal(request, error)
    if answer_began(request):
        # A short body tells the client the truth; a problem document in the middle of a file would not.
        log.warning("answer was cut short")
        request.protocol.force_close()
    return response
