"""Run a worker: inside another process (``run_worker``), or as a service of its own (``serve``)."""

import asyncio
import os
import re
import secrets
import socket
from collections.abc import Sequence

import structlog

from moviola.infrastructure import open_infrastructure
from moviola.plan import Kind
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.settings import Settings
from moviola.stopping import stop_on_signals
from moviola.telemetry import configure_logging
from moviola_workers.child_process import ChildProgram
from moviola_workers.engine_id import engine_id
from moviola_workers.scratch import open_scratch
from moviola_workers.spares import keep_spares
from moviola_workers.supervisor import Place
from moviola_workers.worker import Worker

log = structlog.get_logger()

STEPS = ChildProgram()


async def serve(settings: Settings, kinds: Sequence[Kind]) -> None:
    """The worker service: runs until SIGTERM or SIGINT, then drains; a second signal exits at once."""
    configure_logging(settings, "worker")
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with open_infrastructure(settings, parts=("bus", "storage")) as infrastructure:
        await run_worker(infrastructure.bus, infrastructure.storage, settings, kinds=kinds, stopping=stopping)


async def run_worker(
    bus: MessageBus,
    storage: ObjectStorage,
    settings: Settings,
    *,
    kinds: Sequence[Kind],
    stopping: asyncio.Event,
    program: ChildProgram = STEPS,
) -> None:
    """Do tasks of *kinds*, ``settings.worker_capacity`` at once, until *stopping* is set; then drain and return.

    Running tasks have ``settings.drain_seconds`` to end; those that have not are handed back. Cancelling it instead
    kills the children at once and tells nobody. The thread that calls must live as long as the worker: the children
    die with it.
    """
    name = worker_name()
    async with (
        open_scratch(settings.scratch_path(), name) as scratch,
        keep_spares(program, settings) as spares,
    ):
        log.info("worker started", worker=name, kinds=list(kinds), capacity=settings.worker_capacity)
        place = Place(storage, scratch, settings, await asyncio.to_thread(engine_id))
        await Worker(bus, spares, place, name=name, kinds=kinds, stopping=stopping).run()
    log.info("worker stopped", worker=name)


def worker_name() -> str:
    """A name for this run of a worker: where it runs, and a part that no other run has."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
