"""Deliveries of webhooks: what is due, who sends it, and what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, upsert, values
from moviola.adapters.video_store.webhooks import WEBHOOK_FIELDS, webhooks_of
from moviola.ports.video_store import Webhook, WebhookDelivery

DELIVERY_FIELDS = field_names(WebhookDelivery)
_deliveries, _webhooks = schema.webhook_deliveries, schema.webhooks
_key = [_deliveries.c.webhook_id, _deliveries.c.event_id]
_is_pending = _deliveries.c.state == sa.literal_column("'pending'")
_is_due = sa.and_(_is_pending, _deliveries.c.not_before <= sa.bindparam("now"), _webhooks.c.enabled)

_ADD = upsert(lambda insert: insert(_deliveries).on_conflict_do_nothing(index_elements=_key))
_select = sa.select(*columns(_deliveries, DELIVERY_FIELDS))
_of_webhook = _select.where(_deliveries.c.webhook_id == sa.bindparam("the_webhook_id"))
_GET = _of_webhook.where(_deliveries.c.id == sa.bindparam("the_id"))
_PAGE = _of_webhook.order_by(_deliveries.c.id.desc()).limit(sa.bindparam("limit"))
_OLDER = _PAGE.where(_deliveries.c.id < sa.bindparam("before"))
_DUE = sa.select(_deliveries.c.id).join(_webhooks, _webhooks.c.id == _deliveries.c.webhook_id).where(_is_due).limit(1)
_TO_CLAIM = (
    sa.select(*columns(_deliveries, DELIVERY_FIELDS), *columns(_webhooks, WEBHOOK_FIELDS))
    .join(_webhooks, _webhooks.c.id == _deliveries.c.webhook_id)
    .where(_is_due)
    .order_by(_deliveries.c.not_before, _deliveries.c.id)
    .limit(sa.bindparam("limit"))
    .with_for_update(skip_locked=True, of=_deliveries)
)
_CLAIM = (
    sa.update(_deliveries)
    .where(_deliveries.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(not_before=sa.bindparam("until"), attempts=_deliveries.c.attempts + 1)
)
_SAVE = sa.update(_deliveries).where(_deliveries.c.id == sa.bindparam("the_id"))
_FORGET = sa.delete(_deliveries).where(_deliveries.c.finished_at < sa.bindparam("before"))


def _delivery_of(row: Row) -> WebhookDelivery:
    return WebhookDelivery(**dict(zip(DELIVERY_FIELDS, row, strict=False)))


class SqlWebhookDeliveries:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, deliveries: Sequence[WebhookDelivery]) -> None:
        for delivery in deliveries:
            await self._statements.upsert(_ADD, values(delivery, DELIVERY_FIELDS))

    async def get(self, webhook_id: str, delivery_id: str) -> WebhookDelivery | None:
        rows = await self._statements.read(_GET, {"the_webhook_id": webhook_id, "the_id": delivery_id})
        return _delivery_of(rows[0]) if rows else None

    async def page(self, webhook_id: str, *, limit: int, before: str | None = None) -> Sequence[WebhookDelivery]:
        keys = {"the_webhook_id": webhook_id, "limit": limit}
        rows = await self._statements.read(*((_PAGE, keys) if before is None else (_OLDER, keys | {"before": before})))
        return [_delivery_of(row) for row in rows]

    async def due(self, *, now: datetime) -> bool:
        return bool(await self._statements.read(_DUE, {"now": now}))

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[tuple[WebhookDelivery, Webhook]]:
        rows = await self._statements.lock(_TO_CLAIM, {"now": now, "limit": limit})
        if not rows:
            return []
        claimed = [_delivery_of(row) for row in rows]
        await self._statements.write(_CLAIM, {"ids": [one.id for one in claimed], "until": until})
        webhooks = webhooks_of([row[len(DELIVERY_FIELDS) :] for row in rows])
        changed = [replace(one, attempts=one.attempts + 1, not_before=until) for one in claimed]
        return list(zip(changed, webhooks, strict=True))

    async def save(self, delivery: WebhookDelivery) -> None:
        await self._statements.write(_SAVE, values(delivery, DELIVERY_FIELDS) | {"the_id": delivery.id})

    async def forget(self, *, finished_before: datetime) -> int:
        return await self._statements.write(_FORGET, {"before": finished_before})
