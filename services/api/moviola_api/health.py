"""Is the process alive, can it do its work, and what does it count."""

import asyncio
from collections.abc import Awaitable

from aiohttp import web

from moviola.errors import MoviolaError
from moviola_api.context import context_of
from moviola_api.documents import Document
from moviola_api.presentation import json_response

CHECK_SECONDS = 3.0


class Check(Document):
    """``required``: without it the service is not ready."""

    ok: bool
    required: bool = True
    reason: str | None = None


class Readiness(Document):
    ready: bool
    checks: dict[str, Check]


class Liveness(Document):
    alive: bool = True


async def healthz(request: web.Request) -> web.Response:
    """200 as long as the process answers at all; it says nothing of what stands behind it."""
    return json_response(Liveness())


async def readyz(request: web.Request) -> web.Response:
    """200 if store, bus and storage answer within 3 s each, else 503; each is named."""
    context = context_of(request)
    names = ("store", "bus", "storage")
    checks = await asyncio.gather(
        *(_check(part) for part in (context.store.check(), context.bus.check(), context.storage.check())),
        _check_cache(context.cache.check()),
    )
    readiness = Readiness(
        ready=all(check.ok for check in checks if check.required),
        checks=dict(zip((*names, "cache"), checks, strict=True)),
    )
    return json_response(readiness, status=200 if readiness.ready else 503)


async def _check(part: Awaitable[None]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await part
    except MoviolaError as error:
        return Check(ok=False, reason=type(error).__name__)
    except TimeoutError:
        return Check(ok=False, reason="Timeout")
    return Check(ok=True)


async def _check_cache(answers: Awaitable[bool]) -> Check:
    ok = await answers
    return Check(ok=ok, required=False, reason=None if ok else "Unavailable")


async def metrics(request: web.Request) -> web.Response:
    """For Prometheus."""
    return context_of(request).metrics.response()
