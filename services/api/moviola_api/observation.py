"""One line in the log, one count in the metrics and one id for every request; and the headers of every answer."""

from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from moviola_api.connection import ANSWER_BEGAN, name_request, request_id
from moviola_api.context import context_of

log = structlog.get_logger(__name__)

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost: whatever happens inside is logged under the request's id."""
    began = monotonic()
    with structlog.contextvars.bound_contextvars(request=name_request(request)):
        response = await handler(request)
        seconds = monotonic() - began
        context_of(request).metrics.answered(request, response.status, seconds)
        tell = log.debug if request.path in QUIET else log.info
        tell(
            "request answered",
            method=request.method,
            path=request.path,
            status=response.status,
            milliseconds=round(seconds * 1000, 1),
        )
        return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer, a stream's too, just before its head is sent."""
    request[ANSWER_BEGAN] = True
    response.headers["X-Request-Id"] = request_id(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
