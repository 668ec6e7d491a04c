"""What was sent to a webhook's endpoint and what it answered; a test ping; and sending once more."""

from dataclasses import replace
from datetime import datetime
from typing import Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, JsonValue
from pydantic_core import from_json

from moviola.errors import Conflict, NotFound
from moviola.ports.video_store import DeliveryState, WebhookDelivery
from moviola.video import new_id, utc_now
from moviola.webhooks import PING, payload_of
from moviola_api.context import context_of
from moviola_api.cursors import cursor_after, read_cursor
from moviola_api.documents import Document
from moviola_api.presentation import json_response
from moviola_api.queries import Query, read_query
from moviola_api.webhooks import webhook_of


class DeliveryDocument(Document):
    """``status``, ``seconds`` and ``answer`` (its first KiB) are the last attempt's; ``error`` says why there is none.

    ``next_attempt_at`` is null once it was delivered or given up.
    """

    id: str
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    status: int | None
    seconds: float | None
    answer: str | None
    error: str | None
    created_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> Self:
        return cls(**_fields(delivery))


class WholeDeliveryDocument(DeliveryDocument):
    """With the body that is sent."""

    payload: JsonValue

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> Self:
        return cls(**_fields(delivery), payload=from_json(delivery.payload))


def _fields(delivery: WebhookDelivery) -> dict[str, object]:
    derived = {"next_attempt_at": delivery.not_before if delivery.state is DeliveryState.PENDING else None}
    return derived | {name: getattr(delivery, name) for name in DeliveryDocument.model_fields if name not in derived}


class DeliveryList(Document):
    data: tuple[DeliveryDocument, ...]
    next_cursor: str | None


class ListQuery(Query):
    """What ``GET …/deliveries`` takes."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=200)


async def list_deliveries(request: web.Request) -> web.Response:
    """The newest first; they are kept for 30 days."""
    query, webhook = read_query(request, ListQuery), await webhook_of(request)
    wanted = ("deliveries", webhook.id)
    before = read_cursor(query.cursor, wanted) if query.cursor is not None else None
    async with context_of(request).store.snapshot() as view:
        found = await view.webhook_deliveries.page(webhook.id, limit=query.limit + 1, before=before)
    shown, more = found[: query.limit], len(found) > query.limit
    return json_response(
        DeliveryList(
            data=tuple(DeliveryDocument.of(delivery) for delivery in shown),
            next_cursor=cursor_after(shown[-1].id, wanted) if more else None,
        )
    )


async def show_delivery(request: web.Request) -> web.Response:
    return json_response(WholeDeliveryDocument.of(await _delivery_of(request)))


async def ping(request: web.Request) -> web.Response:
    """202: a ``webhook.ping`` is sent like any event; its delivery tells how it went."""
    webhook = await webhook_of(request)
    _refuse_disabled(webhook.enabled)
    now = utc_now()
    delivery = WebhookDelivery(
        id=new_id(),
        webhook_id=webhook.id,
        tenant=webhook.tenant,
        event_id=new_id(),
        type=PING,
        payload=payload_of(PING, {"webhook_id": webhook.id}, now),
        not_before=now,
        created_at=now,
    )
    async with context_of(request).store.transaction() as transaction:
        await transaction.webhook_deliveries.add([delivery])
    return json_response(DeliveryDocument.of(delivery), status=202)


async def redeliver(request: web.Request) -> web.Response:
    """202: it is sent anew, under its id and with all its tries, whatever became of it before."""
    _refuse_disabled((await webhook_of(request)).enabled)
    delivery = await _delivery_of(request)
    again = replace(delivery, state=DeliveryState.PENDING, attempts=0, not_before=utc_now(), finished_at=None)
    async with context_of(request).store.transaction() as transaction:
        await transaction.webhook_deliveries.save(again)
    return json_response(DeliveryDocument.of(again), status=202)


def _refuse_disabled(enabled: bool) -> None:
    if not enabled:
        raise Conflict("The webhook is disabled; enable it first.", code="webhook.disabled")


async def _delivery_of(request: web.Request) -> WebhookDelivery:
    webhook, found = await webhook_of(request), None
    try:
        delivery_id = str(UUID(request.match_info["delivery_id"]))
    except ValueError:
        pass
    else:
        async with context_of(request).store.snapshot() as view:
            found = await view.webhook_deliveries.get(webhook.id, delivery_id)
    if found is None:
        raise NotFound("There is no such delivery.", code="webhook.delivery_not_found")
    return found
