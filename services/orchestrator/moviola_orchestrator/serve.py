"""Run the orchestrator: as a service of its own, any number of replicas, or inside the embedded system."""

import asyncio

import structlog

from moviola.errors import StoreUnavailable
from moviola.infrastructure import open_infrastructure
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import VideoStore
from moviola.settings import Settings
from moviola.stopping import stop_on_signals
from moviola.telemetry import configure_logging
from moviola_orchestrator.bells import Bells, pause
from moviola_orchestrator.crash_points import CrashPoints
from moviola_orchestrator.dispatch import Dispatcher
from moviola_orchestrator.endpoints import open_endpoints
from moviola_orchestrator.ledger import Ledger
from moviola_orchestrator.outbox import Relay
from moviola_orchestrator.quarantine import Quarantine
from moviola_orchestrator.reactions import Reactions
from moviola_orchestrator.step_cache import StepCache
from moviola_orchestrator.sweeper import Sweeper
from moviola_orchestrator.webhooks import WebhookSender

log: structlog.stdlib.BoundLogger = structlog.get_logger()
RETRY_SECONDS = 1.0


async def run_orchestrator(
    bus: MessageBus,
    store: VideoStore,
    storage: ObjectStorage,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    alone: bool = False,
) -> None:
    """Orchestrate until *stopping* is set; returns when what was begun is committed.

    The schema must be there (``VideoStore.migrate``). ``alone``: bus and workers live in this process, so that whatever
    is dispatched or running in the database was lost with the last process, and waits again at once, uncharged.
    """
    bells = Bells()
    ledger = Ledger(store, settings, bells, cache=StepCache(store, storage, settings))
    dispatcher = Dispatcher(ledger, settings)
    sweeper = Sweeper(bus, ledger, storage, settings, alone=alone)
    if alone:
        runs = await sweeper.recover()
        log.info("took up what the last process left", runs=runs)
    async with asyncio.TaskGroup() as group:
        group.create_task(Reactions(bus, ledger, dispatcher, Quarantine(settings, ledger.clock), storage).run(stopping))
        group.create_task(dispatcher.run(stopping))
        group.create_task(_relay(bus, store, bells, settings).run(stopping))
        group.create_task(_send_webhooks(store, bells, settings, stopping))
        group.create_task(sweeper.run(stopping))
        await stopping.wait()
        bells.ring_all()  # so that nobody sleeps on


def _relay(bus: MessageBus, store: VideoStore, bells: Bells, settings: Settings) -> Relay:
    return Relay(bus, store, bells.outbox, webhooks=bells.webhooks, crash=CrashPoints(settings.crash_at))


async def _send_webhooks(store: VideoStore, bells: Bells, settings: Settings, stopping: asyncio.Event) -> None:
    async with open_endpoints(allow_private=settings.webhook_allow_private) as endpoints:
        await WebhookSender(store, endpoints, bells.webhooks).run(stopping)


async def serve(settings: Settings) -> None:
    """One replica, from opening what it stands on to SIGTERM or SIGINT; waits for a database that is still starting.

    A second signal exits at once.
    """
    configure_logging(settings, "orchestrator")
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with open_infrastructure(settings, parts=("bus", "store", "storage")) as opened:
        if await _migrated(opened.store, stopping):
            log.info("the orchestrator runs")
            await run_orchestrator(opened.bus, opened.store, opened.storage, settings, stopping=stopping)
    log.info("the orchestrator has stopped")


async def _migrated(store: VideoStore, stopping: asyncio.Event) -> bool:
    """Bring the schema up to date; False where the process was told to stop before the database answered."""
    while not stopping.is_set():
        try:
            await store.migrate()
        except StoreUnavailable as error:
            log.warning("waiting for the database", reason=str(error))
            await pause(stopping, RETRY_SECONDS)
        else:
            return True
    return False
