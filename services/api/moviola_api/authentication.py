"""Who asks: every route below ``/v1`` learns it from ``Authorization: Bearer`` before anything else happens.

A key is required as soon as there ever was one, or where others can reach the address and no private network is
trusted. Until then whoever is let in at all (see ``guard``) is the default tenant. Pages, health and metrics are for
everybody.
"""

from datetime import datetime, timedelta

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from moviola.api_keys import ApiKey, digest_of
from moviola.errors import Unavailable
from moviola.ports.video_store import VideoStore
from moviola.video import utc_now
from moviola_api.context import CALLER, Caller, context_of
from moviola_api.guard import is_open
from moviola_api.problems import Unauthenticated

log = structlog.get_logger(__name__)

# So rough is what is told of a key's last use: a write at every request would cost more than the request.
USED_WITHIN = timedelta(hours=1)
_SCHEME = "bearer "


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """``Unauthenticated`` (401) without a key where one is required, and for one that is not good."""
    request[CALLER] = await _caller(request) if request.path.startswith("/v1/") else Caller()
    return await handler(request)


async def _caller(request: web.Request) -> Caller:
    store = context_of(request).store
    sent = request.headers.get("Authorization")
    if sent is None:
        await _refuse_if_required(request)
        return Caller()
    if not sent.lower().startswith(_SCHEME):
        raise Unauthenticated("Send the key as `Authorization: Bearer mov_…`.", code="auth.malformed")
    digest, now = digest_of(sent[len(_SCHEME) :].strip()), utc_now()
    async with store.snapshot() as transaction:
        key = await transaction.api_keys.by_digest(digest)
    if key is None:
        raise Unauthenticated("There is no such API key.", code="auth.key_unknown")
    _refuse_if_over(key, now)
    await _note_use(store, key, now)
    return Caller(key.tenant, key)


async def _refuse_if_required(request: web.Request) -> None:
    context = context_of(request)
    required = is_open(context.settings)
    if not required:
        async with context.store.snapshot() as transaction:
            required = await transaction.api_keys.any()
    if required:
        raise Unauthenticated("An API key is required: send it as `Authorization: Bearer mov_…`.")


def _refuse_if_over(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None:
        raise Unauthenticated("This API key was revoked.", code="auth.key_revoked")
    if key.expired(now):
        raise Unauthenticated("This API key has expired.", code="auth.key_expired")


async def _note_use(store: VideoStore, key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and now - key.last_used_at < USED_WITHIN:
        return
    try:
        async with store.transaction() as transaction:
            await transaction.api_keys.used(key.id, at=now)
    except Unavailable as error:
        log.warning("the use of a key could not be noted", key=key.id, reason=str(error))
