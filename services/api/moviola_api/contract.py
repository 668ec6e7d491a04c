"""``GET /asyncapi.json``: the contract of the bus."""

import json
from functools import cache

from aiohttp import web

from moviola import __version__
from moviola.asyncapi import asyncapi_document


@cache
def _text() -> str:
    return json.dumps(asyncapi_document(__version__))


async def show_asyncapi(request: web.Request) -> web.Response:
    """An AsyncAPI 3 document with the JSON Schema of every message."""
    return web.Response(text=_text(), content_type="application/json", headers={"Cache-Control": "no-cache"})
