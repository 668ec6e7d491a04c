"""``Idempotency-Key``: a request that is sent again has its one effect once.

The key is written in the transaction that registers the video, so that a process killed before leaves nothing that
would bar the repetition. That a first request is still under way is only hinted at, in the cache, where the hint
expires by itself; without the cache two requests at once end as one video all the same.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from moviola.errors import Conflict, FieldError, InvalidInput
from moviola.ports.cache import Cache
from moviola.ports.video_store import Answer, VideoStore
from moviola.video import Tenant, VideoId, utc_now

HINT_SECONDS = 10.0
MAX_KEY = 200


def idempotency_key(request: web.Request) -> str | None:
    """The key that the client chose, as it is kept; None where there is none."""
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        return None
    if not sent.isascii() or not sent.isprintable() or not 1 <= len(sent) <= MAX_KEY:
        message = f"An Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters."
        raise InvalidInput(message, code="idempotency.invalid_key")
    return f"http:{sent}"


def fingerprint(**asked: object) -> str:
    """A digest of what a request asks for: fields and the file's digest, never the raw bytes of the request."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def refuse_other(holder: Answer, asked: str) -> VideoId:
    """The video of the request that holds the key; ``InvalidInput`` where that one asked for something else."""
    if holder.fingerprint != asked:
        message = "This Idempotency-Key was used for another request before."
        raise InvalidInput(message, [FieldError("", message, "mismatch")], code="idempotency.mismatch")
    return holder.video_id


async def holder_of(store: VideoStore, tenant: Tenant, key: str, video_id: VideoId) -> Answer | None:
    """Who holds *key* now; the key itself is left as it was."""
    async with store.transaction() as transaction:
        keys = transaction.idempotency_keys
        holder = await keys.begin(tenant, key, fingerprint="", video_id=video_id, now=utc_now())
        if holder is None:
            await keys.abandon(tenant, key)
        return holder


@asynccontextmanager
async def under_way(cache: Cache, tenant: Tenant, key: str | None) -> AsyncIterator[None]:
    """Let others know, while it is open, that a request with *key* is being worked on; ``Conflict`` where one is."""
    if key is None:
        yield
        return
    name = f"idempotency:{tenant}:{key}"
    if not await cache.add(name, b"1", ttl=HINT_SECONDS) and await cache.get(name) is not None:
        raise Conflict("A request with this Idempotency-Key is still being worked on.", code="idempotency.in_flight")
    renewal = asyncio.create_task(_renew(cache, name))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        await cache.delete(name)


async def _renew(cache: Cache, name: str) -> None:
    while True:
        await asyncio.sleep(HINT_SECONDS / 3)
        await cache.set(name, b"1", ttl=HINT_SECONDS)
