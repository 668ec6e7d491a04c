"""``GET /v1/system``: the version, the settings without secrets, who works, and what waits."""

from datetime import datetime, timedelta
from importlib.metadata import version

from aiohttp import web

from moviola.errors import Unavailable
from moviola.plan import KINDS
from moviola.settings import Settings, redacted
from moviola.topology import DEAD, INGEST, ORCHESTRATOR, UNROUTED, task_queue
from moviola.video import utc_now
from moviola_api.context import Context, context_of
from moviola_api.documents import Document
from moviola_api.presentation import json_response

QUEUES = (INGEST, ORCHESTRATOR, *(task_queue(kind) for kind in KINDS), UNROUTED, DEAD)


class SettingsDocument(Document):
    """What of the settings a client may know."""

    bus_url: str
    database_url: str
    storage_url: str
    cache_url: str
    max_upload_bytes: int
    fusion: bool
    trust_network: bool


class WorkerDocument(Document):
    """``strikes``: tasks that it failed in a row; until ``resting_until`` it gets none because of them."""

    id: str
    kinds: tuple[str, ...]
    version: str
    capacity: int
    seen_at: datetime
    strikes: int
    resting_until: datetime | None


class SystemDocument(Document):
    """``queues`` has null for a depth that the bus did not tell; ``outbox`` counts messages not yet published.

    ``dead_letters`` are those that were drained and wait for somebody to look, by the queue that they died in; what is
    under ``moviola.unrouted`` no queue takes, which is an alarm.
    """

    version: str
    settings: SettingsDocument
    workers: tuple[WorkerDocument, ...]
    queues: dict[str, int | None]
    outbox: int
    dead_letters: dict[str, int]


async def show_system(request: web.Request) -> web.Response:
    context = context_of(request)
    silent = timedelta(seconds=context.settings.worker_silent_seconds)
    async with context.store.snapshot() as transaction:
        workers = await transaction.workers.alive(since=utc_now() - silent)
        outbox, _ = await transaction.outbox.pending()
        dead_letters = await transaction.dead_letters.waiting()
    return json_response(
        SystemDocument(
            version=version("moviola"),
            settings=_shown(context.settings),
            workers=tuple(
                WorkerDocument(**{name: getattr(one, name) for name in WorkerDocument.model_fields}) for one in workers
            ),
            queues={queue: await _depth(context, queue) for queue in QUEUES},
            outbox=outbox,
            dead_letters=dict(dead_letters),
        )
    )


def _shown(settings: Settings) -> SettingsDocument:
    return SettingsDocument(
        bus_url=redacted(settings.bus_url),
        database_url=redacted(settings.database_url),
        storage_url=redacted(settings.storage_url),
        cache_url=redacted(settings.cache_url),
        max_upload_bytes=settings.max_upload_bytes,
        fusion=settings.fusion,
        trust_network=settings.trust_network,
    )


async def _depth(context: Context, queue: str) -> int | None:
    try:
        return await context.bus.depth(queue)
    except Unavailable:
        return None
