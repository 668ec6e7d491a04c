"""What concerns the connection below a request: its id, whether an answer began, and how to part in peace."""

import asyncio
import contextlib
import re

from aiohttp import web

from moviola.errors import MoviolaError
from moviola.video import new_id

REQUEST_ID = web.RequestKey("request_id", str)
ANSWER_BEGAN = web.RequestKey("answer_began", bool)

# How long a client may go on sending a body that was refused, so that it gets to read the refusal.
LINGER_SECONDS = 5.0

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClientGone(MoviolaError):
    """The client closed the connection; there is nobody left to tell."""


def name_request(request: web.Request) -> str:
    """Give the request the id that its client sent in ``X-Request-Id``, where it is a tame one, or a new one."""
    sent = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = sent if _ACCEPTABLE_ID.fullmatch(sent) else new_id()
    return request[REQUEST_ID]


def request_id(request: web.Request) -> str:
    return request[REQUEST_ID]


def answer_began(request: web.Request) -> bool:
    """Whether status and headers are out already."""
    return ANSWER_BEGAN in request


async def farewell(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send *response* although the request's body may still be coming, and read that away for a while.

    Closing at once would reset the connection, and the client would never see the answer. aiohttp lingers too, but
    logs a traceback when the client leaves meanwhile.
    """
    if not request.body_exists or request.content.is_eof():
        return response
    response.force_close()
    with contextlib.suppress(ConnectionError, TimeoutError):
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in request.content.iter_chunked(64 * 1024):
                pass
    if not request.content.is_eof():
        request.protocol.force_close()
    return response
