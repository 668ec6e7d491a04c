"""Tell endpoints what happened: one row an event and endpoint, sent until it is answered well or a day has passed.

Any number of replicas send side by side. A row is claimed by making it due later, in a short transaction; who dies with
it leaves it to the next when that time has come. So an endpoint may hear an event twice, always under the same id.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from moviola.errors import MalformedMessage, Unavailable
from moviola.messages import VideoEvent
from moviola.ports.message_bus import Posting
from moviola.ports.video_store import DeliveryState, Transaction, VideoStore, Webhook, WebhookDelivery
from moviola.video import new_id, utc_now
from moviola.webhooks import BACK_OFF, TOLD, data_of, payload_of, signatures, wants
from moviola_orchestrator.bells import Bell, pause
from moviola_orchestrator.endpoints import Answered, Endpoints, NoAnswer

log: structlog.stdlib.BoundLogger = structlog.get_logger()
AT_ONCE = 16
# Longer than an endpoint has to answer.
CLAIM_SECONDS = 60.0
LOOK_SECONDS, RETRY_SECONDS = 1.0, 5.0
DISABLE_AFTER = timedelta(days=3)
KEPT = timedelta(days=30)
GONE = 410


async def note_for_webhooks(transaction: Transaction, postings: Sequence[Posting], now: datetime) -> bool:
    """Write a delivery for each of *postings* and each endpoint that wants it; whether there was one."""
    events = [(posting, event) for posting in postings if (event := _told(posting)) is not None]
    if not events:
        return False
    webhooks = await transaction.webhooks.listening({event.tenant for _, event in events})
    deliveries = [
        _delivery(posting, event, webhook, now)
        for posting, event in events
        for webhook in webhooks
        if webhook.tenant == event.tenant and wants(webhook.events, event.type)
    ]
    await transaction.webhook_deliveries.add(deliveries)
    return bool(deliveries)


def _told(posting: Posting) -> VideoEvent | None:
    if posting.envelope.type not in TOLD:
        return None
    try:
        event = posting.envelope.message()
    except MalformedMessage:
        # A redriven letter may say anything; what it is worth is decided where it is read.
        return None
    return event if isinstance(event, VideoEvent) else None


def _delivery(posting: Posting, event: VideoEvent, webhook: Webhook, now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        id=new_id(),
        webhook_id=webhook.id,
        tenant=webhook.tenant,
        event_id=posting.envelope.id,
        type=event.type,
        payload=payload_of(event.type, data_of(event), now),
        not_before=now,
        created_at=now,
    )


class WebhookSender:
    """Sends what is due, whenever *bell* rings, and looks every second for what became due or others wrote."""

    def __init__(
        self,
        store: VideoStore,
        endpoints: Endpoints,
        bell: Bell,
        *,
        clock: Callable[[], datetime] = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._bell = bell
        self._clock = clock
        self._chance = chance

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until *stopping*; what is under way then is answered first."""
        while not stopping.is_set():
            try:
                sent = await self.send_due()
            except Unavailable as error:
                log.warning("webhooks wait for the database", reason=str(error))
                await pause(stopping, RETRY_SECONDS)
            else:
                if sent == 0:
                    await self._bell.heard(timeout=LOOK_SECONDS)

    async def send_due(self) -> int:
        """One batch of what is due; how many that were."""
        now = self._clock()
        async with self._store.snapshot() as view:
            if not await view.webhook_deliveries.due(now=now):
                return 0
        async with self._store.transaction() as transaction:
            until = now + timedelta(seconds=CLAIM_SECONDS)
            claimed = await transaction.webhook_deliveries.claim(now=now, until=until, limit=AT_ONCE)
            await transaction.webhook_deliveries.forget(finished_before=now - KEPT)
        # Not a TaskGroup: one that fails must not take the others' answers with it.
        outcomes = await asyncio.gather(*(self._send(*one) for one in claimed), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Unavailable):
                raise outcome
            if isinstance(outcome, BaseException):
                log.error("a webhook's delivery failed unexpectedly", exc_info=outcome)
        return len(claimed)

    async def _send(self, delivery: WebhookDelivery, webhook: Webhook) -> None:
        now = self._clock()
        keys = [secret.value for secret in webhook.secrets if secret.until is None or secret.until > now]
        seconds = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Moviola-Webhooks/1",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signatures(keys, delivery.event_id, seconds, delivery.payload),
        }
        try:
            answer: Answered | NoAnswer = await self._endpoints.post(webhook.url, delivery.payload, headers)
        except NoAnswer as error:
            answer = error
        await self._note(after_attempt(delivery, answer, now, self._clock(), self._chance()), now)

    async def _note(self, delivery: WebhookDelivery, at: datetime) -> None:
        well = delivery.state is DeliveryState.DELIVERED
        async with self._store.transaction() as transaction:
            await transaction.webhook_deliveries.save(delivery)
            disabled = await transaction.webhooks.fared(
                delivery.webhook_id, well=well, at=at, failing_before=at - DISABLE_AFTER, gone=delivery.status == GONE
            )
        fields = {"webhook": delivery.webhook_id, "delivery": delivery.id, "type": delivery.type}
        if well:
            log.info("a webhook was delivered", status=delivery.status, attempts=delivery.attempts, **fields)
        else:
            log.info("a webhook was not delivered", status=delivery.status, reason=delivery.error, **fields)
        if disabled:
            log.warning("a webhook was disabled", webhook=delivery.webhook_id, status=delivery.status)


def after_attempt(
    delivery: WebhookDelivery, answer: Answered | NoAnswer, began: datetime, now: datetime, chance: float
) -> WebhookDelivery:
    """The delivery with what came of its attempt: done, given up (at once where the endpoint is gone), or due again.

    *chance*, from 0 to 1, moves that while by up to a tenth, so that endpoints that fell together rise one by one.
    """
    if isinstance(answer, Answered):
        well = 200 <= answer.status < 300
        error = None if well else f"It answered {answer.status}."
        told = replace(
            delivery, status=answer.status, seconds=round(answer.seconds, 3), answer=answer.beginning, error=error
        )
    else:
        well = False
        told = replace(delivery, status=None, seconds=None, answer=None, error=str(answer))
    told = replace(told, attempted_at=began)
    if well:
        return replace(told, state=DeliveryState.DELIVERED, finished_at=now)
    wait = BACK_OFF[min(told.attempts, len(BACK_OFF)) - 1] * (0.9 + 0.2 * chance)
    if told.attempts > len(BACK_OFF) or told.status == GONE:
        return replace(told, state=DeliveryState.FAILED, finished_at=now)
    return replace(told, not_before=now + timedelta(seconds=wait))
