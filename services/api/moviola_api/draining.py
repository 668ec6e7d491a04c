"""Drain ``moviola.dead`` and ``moviola.unrouted`` into the database, where they can be looked at and sent again.

On the bus they could only be browsed by handing them back, which counts as a delivery and changes their order. Each is
written before it is acknowledged; one that is delivered twice is kept once. What a producer made up (a NUL in a name, a
megabyte of headers) is tamed, so that no letter can keep the others from being drained.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from moviola.errors import StaleVersion, Unavailable
from moviola.ports.message_bus import Delivery, Envelope
from moviola.ports.video_store import StoredDeadLetter
from moviola.settings import Settings
from moviola.telemetry import about
from moviola.topology import DEAD, INGEST, UNROUTED
from moviola.video import DEFAULT_TENANT, Tenant, new_id, utc_now
from moviola_api.context import Context
from moviola_api.redriving import TIMES

log = structlog.get_logger(__name__)

PREFETCH = 32
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
MAX_BODY = 256 * 1024
MAX_HEADERS, MAX_TEXT = 64, 1024
# So long one can see what was sent again.
KEPT_AFTER_REDRIVE = timedelta(days=30)


class Drain:
    """The consumers of both queues, in this process; any number of replicas may drain."""

    def __init__(self, context: Context) -> None:
        self._bus = context.bus
        self._store = context.store
        self._settings = context.settings
        self._metrics = context.metrics

    async def run(self) -> None:
        """Drain until cancelled."""
        async with asyncio.TaskGroup() as group:
            for queue in (DEAD, UNROUTED):
                group.create_task(self._drain(queue))

    async def _drain(self, queue: str) -> None:
        while True:
            try:
                async with self._bus.consume(queue, prefetch=PREFETCH) as deliveries:
                    async for delivery in deliveries:
                        await self._handle(queue, delivery)
            except Unavailable as error:
                log.warning("draining waits for the bus", queue=queue, reason=str(error))
            await asyncio.sleep(FIRST_PAUSE_SECONDS)

    async def _handle(self, queue: str, delivery: Delivery) -> None:
        letter = letter_of(queue, delivery, utc_now(), self._settings)
        pause = FIRST_PAUSE_SECONDS
        with about(None, message=letter.message_id, type=letter.type):
            while True:
                try:
                    added = await self._keep(letter)
                except (Unavailable, StaleVersion) as error:
                    log.warning("a dead letter waits", reason=str(error), seconds=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                except Exception:
                    # A defect of ours: the others first; on these queues nothing counts how often it is handed back.
                    log.exception("a dead letter can't be kept")
                    await asyncio.sleep(LONGEST_PAUSE_SECONDS)
                    return await delivery.release()
                else:
                    await delivery.ack()
                    if added:
                        self._tell(letter)
                    return

    async def _keep(self, letter: StoredDeadLetter) -> bool:
        async with self._store.transaction() as transaction:
            await transaction.dead_letters.forget(redriven_before=letter.kept_at - KEPT_AFTER_REDRIVE)
            return await transaction.dead_letters.add(letter)

    def _tell(self, letter: StoredDeadLetter) -> None:
        fields = {"letter": letter.id, "exchange": letter.exchange, "key": letter.key}
        if letter.queue == UNROUTED:
            self._metrics.unrouted.inc()
            log.error("a message was published that no queue takes", **fields)
        else:
            self._metrics.dead_letters.labels(letter.queue, letter.reason).inc()
            log.warning("a message is a dead letter", queue=letter.queue, reason=letter.reason, **fields)


def letter_of(queue: str, delivery: Delivery, now: datetime, settings: Settings) -> StoredDeadLetter:
    """The record of what was delivered on *queue*; the headers of its death become fields."""
    envelope, address = delivery.envelope, delivery.address
    death = {name: envelope.headers.get(f"x-death-{name}", "") for name in ("queue", "reason", "exchange", "count")}
    unrouted = queue == UNROUTED
    died_in = UNROUTED if unrouted else _tame(death["queue"]) or DEAD
    return StoredDeadLetter(
        id=new_id(),
        tenant=_tenant(died_in, envelope, settings),
        digest=_digest(queue, envelope),
        message_id=_tame(envelope.id),
        type=_tame(envelope.type),
        queue=died_in,
        reason="unrouted" if unrouted else _tame(death["reason"]) or "unknown",
        exchange=address.exchange if unrouted else _tame(death["exchange"]),
        key=_tame(address.key),
        body=envelope.body[:MAX_BODY],
        size=len(envelope.body),
        headers=_headers(envelope.headers),
        correlation_id=_tame(envelope.correlation_id) if envelope.correlation_id else None,
        user_id=_tame(envelope.user_id) if envelope.user_id else None,
        count=int(death["count"]) if death["count"].isdecimal() and len(death["count"]) < 16 else 1,
        times=_times(envelope.headers),
        died_at=_time(envelope.headers.get("x-death-time", ""), now),
        kept_at=now,
    )


def _tenant(queue: str, envelope: Envelope, settings: Settings) -> Tenant:
    """A producer's by the user that the broker validated; of our own messages the one that they name."""
    if queue == INGEST:
        return Tenant(settings.ingest_tenants.get(envelope.user_id or "", DEFAULT_TENANT))
    try:
        body = json.loads(envelope.body[:MAX_BODY])
    except (ValueError, RecursionError):
        return DEFAULT_TENANT
    named = body.get("tenant") if isinstance(body, dict) else None
    return Tenant(_tame(named)) if isinstance(named, str) and named else DEFAULT_TENANT


def _digest(queue: str, envelope: Envelope) -> str:
    """The same for each delivery of one dead letter, another where it died again or was sent again."""
    death = sorted((name, value) for name, value in envelope.headers.items() if name.startswith("x-death"))
    told = repr((queue, envelope.id, envelope.type, death, _times(envelope.headers)))
    return hashlib.sha256(told.encode(errors="backslashreplace") + b"\0" + envelope.body).hexdigest()


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {_tame(name): _tame(value) for name, value in list(headers.items())[:MAX_HEADERS]}


def _times(headers: Mapping[str, str]) -> int:
    told = headers.get(TIMES, "")
    return int(told) if told.isdecimal() and len(told) < 6 else 0


def _time(told: str, now: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(told)
    except ValueError:
        return now
    return time if time.tzinfo is not None else now


def _tame(text: str) -> str:
    """What both databases can hold, and of a bounded length."""
    return text[:MAX_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()
