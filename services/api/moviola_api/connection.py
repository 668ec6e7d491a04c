"""What concerns the connection of a request: its id, whether an answer began, and whether anybody is there."""

import re

from aiohttp import web

from moviola.errors import MoviolaError
from moviola.video import new_id

REQUEST_ID = web.RequestKey("request_id", str)
ANSWER_BEGAN = web.RequestKey("answer_began", bool)

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
