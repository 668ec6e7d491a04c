"""An ear for the hints on ``moviola.control``: which attempts somebody wants stopped, and that a worker is to rest.

A hint may be lost; the orchestrator repeats itself when the attempt, or the worker, is heard of again.
"""

import asyncio
from collections.abc import Collection

import structlog

from moviola.errors import BusUnavailable, MalformedMessage
from moviola.messages import CancelTasks, RestWorker
from moviola.ports.message_bus import Envelope, MessageBus
from moviola.topology import CONTROL
from moviola_workers.rest import Rest
from moviola_workers.supervisor import Attempt

log = structlog.get_logger()

PAUSE_SECONDS = 1.0


async def heed_hints(bus: MessageBus, attempts: Collection[Attempt], worker: str, rest: Rest) -> None:
    """Cancel those of *attempts*, as they are at the time, that a hint names, and let *worker* rest; never returns."""
    while True:
        try:
            async with bus.listen(CONTROL, ["#"]) as hints:
                async for envelope in hints:
                    _heed(envelope, attempts, worker, rest)
        except BusUnavailable as error:
            log.warning("the bus gives no cancels", error=str(error))
        await asyncio.sleep(PAUSE_SECONDS)


def _heed(envelope: Envelope, attempts: Collection[Attempt], worker: str, rest: Rest) -> None:
    try:
        message = envelope.message()
    except MalformedMessage as error:
        log.warning("a hint to the workers can't be read", message=envelope.id, error=str(error))
        return
    if isinstance(message, RestWorker) and message.worker == worker:
        rest.take(message.seconds)
    elif isinstance(message, CancelTasks):
        for attempt in attempts:
            if attempt.command.task_id in message.task_ids and attempt.nonce != message.except_nonce:
                attempt.cancel()
