"""A watchdog beside every consumer, since a consumer can be gone without a word to us.

The broker tells when it cancels one, and a lost connection is noticed by its heartbeats. What neither shows: a consumer
that the broker has forgotten, and one that it does not serve any more. So the watchdog asks, on the consumer's own
channel: does the queue have a consumer at all; and do messages lie ready in it while ours could take some and got none
since it asked last?
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aio_pika.abc import AbstractChannel

from moviola.adapters.message_bus.rabbitmq_connection import reaching_the_bus
from moviola.errors import BusUnavailable

log = structlog.get_logger(__name__)

WATCH_SECONDS = 15.0
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Consumption:
    """A consumer of *queue*: how many messages it was ever given, and whether it could take one more."""

    queue: str
    given: Callable[[], int] = lambda: 0
    hungry: Callable[[], bool] = lambda: False


async def watch(channel: AbstractChannel, one: Consumption, gone: asyncio.Event) -> None:
    """Set *gone* when the consumer is not there any more, or is not served; returns then."""
    starved = -1
    while not gone.is_set():
        await asyncio.sleep(WATCH_SECONDS)
        given = one.given()
        try:
            consumers, ready = await _state_of(channel, one.queue)
        except BusUnavailable as error:
            log.warning("a consumer's channel does not answer, setting it up again", queue=one.queue, reason=str(error))
            gone.set()
            return
        if consumers == 0 or (ready and one.hungry() and starved == given == one.given()):
            log.warning("a consumer has vanished, setting it up again", queue=one.queue, ready=ready)
            gone.set()
        # Once is no proof: what lies ready may be on its way to us.
        starved = given if ready and one.hungry() else -1


async def _state_of(channel: AbstractChannel, queue: str) -> tuple[int, int]:
    """How many consumers it has, and how many messages that nobody was given."""
    with reaching_the_bus():
        async with asyncio.timeout(ANSWER_SECONDS):
            told = (await channel.declare_queue(queue, passive=True)).declaration_result
    return told.consumer_count or 0, told.message_count or 0
