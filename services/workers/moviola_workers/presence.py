"""A worker's sign of life, at once and every few seconds: what it can do, and that it leaves once it does.

The orchestrator sends out no more tasks than the workers it hears of can take.
"""

import asyncio

import structlog

from moviola.errors import BusUnavailable
from moviola.messages import WorkerAlive
from moviola.ports.message_bus import MessageBus, post
from moviola_workers.interruption import unless

log = structlog.get_logger()


async def show_life(bus: MessageBus, alive: WorkerAlive, *, every: float, stopping: asyncio.Event) -> None:
    """Announce *alive* every so many seconds, and from *stopping* on that it leaves; never returns."""
    while not stopping.is_set():
        await announce(bus, alive)
        await unless(stopping, asyncio.sleep(every))
    while True:
        await announce(bus, leaving(alive))
        await asyncio.sleep(every)


def leaving(alive: WorkerAlive) -> WorkerAlive:
    return alive.model_copy(update={"leaving": True})


async def announce(bus: MessageBus, alive: WorkerAlive) -> None:
    """Say it once; one that is lost is followed by another."""
    try:
        await bus.publish([post(alive)])
    except BusUnavailable as error:
        log.warning("the bus did not take a sign of life", error=str(error))
