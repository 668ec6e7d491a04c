"""The API as a service: the application, the live feed and the consumer of ``moviola.ingest``, until told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.settings import Settings
from moviola.stopping import stop_on_signals
from moviola.telemetry import configure_logging
from moviola_api.application import create_application
from moviola_api.context import Context
from moviola_api.draining import Drain
from moviola_api.feed import Feed
from moviola_api.guard import is_open, refuse_open_host
from moviola_api.ingest import Ingest
from moviola_api.metrics import Metrics
from moviola_api.progress import LiveProgress

log = structlog.get_logger(__name__)


async def run_api(
    parts: Infrastructure,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve on ``settings.host`` and ``port`` (0: any) until *stopping*; *on_ready* is told the base URL.

    On stopping, event streams end at once and other requests within ``drain_seconds``. The schema must be there
    (``VideoStore.migrate``). ``Refused`` for an address that strangers can reach; ``OSError`` for a port that is taken.
    """
    if is_open(settings):
        async with parts.store.snapshot() as transaction:
            refuse_open_host(settings, keys=await transaction.api_keys.any())
    context = _context(parts, settings)
    async with _serving(context) as url, asyncio.TaskGroup() as group:
        consumers = (context.feed.run(), Ingest(context).run(), Drain(context).run())
        background = [group.create_task(consumer) for consumer in consumers]
        if on_ready is not None:
            on_ready(url)
        await stopping.wait()
        for task in background:
            task.cancel()


def _context(parts: Infrastructure, settings: Settings) -> Context:
    progress = LiveProgress()
    return Context(
        store=parts.store,
        bus=parts.bus,
        storage=parts.storage,
        cache=parts.cache,
        settings=settings,
        feed=Feed(parts.bus, progress.hear),
        progress=progress,
        metrics=Metrics(),
    )


@asynccontextmanager
async def _serving(context: Context) -> AsyncIterator[str]:
    settings = context.settings
    runner = web.AppRunner(
        create_application(context), access_log=None, handle_signals=False, shutdown_timeout=settings.drain_seconds
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        # The site's own name has the port that was asked for, which may be 0.
        port = runner.addresses[0][1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        log.info("api is listening", host=settings.host, port=port)
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
        log.info("api has stopped")


async def serve(settings: Settings) -> None:
    """Run the API as a process of its own: logs, infrastructure, schema, SIGTERM or SIGINT to stop."""
    configure_logging(settings, "api")
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    try:
        async with open_infrastructure(settings) as parts:
            await parts.store.migrate()
            await run_api(parts, settings, stopping=stopping)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
