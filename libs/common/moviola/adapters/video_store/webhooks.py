"""Webhooks: who is told, and how their endpoints fare."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.column_types import UtcTime
from moviola.adapters.video_store.statements import Statements, columns, field_names, values
from moviola.errors import StaleVersion
from moviola.ports.video_store import Webhook
from moviola.video import Tenant

WEBHOOK_FIELDS = field_names(Webhook)
# How it fares is noted without the version: an attempt must not fail because a client changes something meanwhile.
_FARES = ("failing_since",)
_webhooks = schema.webhooks
_is_the_one = sa.and_(_webhooks.c.tenant == sa.bindparam("the_tenant"), _webhooks.c.id == sa.bindparam("the_id"))

_ADD = sa.insert(_webhooks)
_select = sa.select(*columns(_webhooks, WEBHOOK_FIELDS))
_GET = _select.where(_is_the_one)
_OF_TENANT = _select.where(_webhooks.c.tenant == sa.bindparam("the_tenant")).order_by(_webhooks.c.id)
_LISTENING = (
    _select.where(_webhooks.c.tenant.in_(sa.bindparam("tenants", expanding=True)), _webhooks.c.enabled)
    .order_by(_webhooks.c.id)
    .with_for_update(read=True, key_share=True)
)
_SAVE = sa.update(_webhooks).where(_is_the_one, _webhooks.c.version == sa.bindparam("the_version"))
_REMOVE = sa.delete(_webhooks).where(_is_the_one)
_FARED_WELL = sa.update(_webhooks).where(_webhooks.c.id == sa.bindparam("the_id")).values(failing_since=None)
_FARED_BADLY = (
    sa.update(_webhooks)
    .where(_webhooks.c.id == sa.bindparam("the_id"))
    .values(failing_since=sa.func.coalesce(_webhooks.c.failing_since, sa.bindparam("at", type_=UtcTime)))
)
_DISABLE = (
    sa.update(_webhooks)
    .where(_webhooks.c.id == sa.bindparam("the_id"), _webhooks.c.enabled)
    .where(
        sa.or_(
            sa.bindparam("gone", type_=sa.Boolean),
            _webhooks.c.failing_since < sa.bindparam("failing_before", type_=UtcTime),
        )
    )
    .values(enabled=False, disabled_reason=sa.bindparam("reason"), version=_webhooks.c.version + 1)
)
GONE, FAILING = "gone", "failing"


def webhooks_of(rows: Sequence[Sequence[Any]]) -> list[Webhook]:
    return [Webhook(**dict(zip(WEBHOOK_FIELDS, row, strict=False))) for row in rows]


class SqlWebhooks:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, webhook: Webhook) -> None:
        await self._statements.write(_ADD, values(webhook, WEBHOOK_FIELDS))

    async def get(self, tenant: Tenant, webhook_id: str) -> Webhook | None:
        found = webhooks_of(await self._statements.read(_GET, {"the_tenant": tenant, "the_id": webhook_id}))
        return found[0] if found else None

    async def of_tenant(self, tenant: Tenant) -> Sequence[Webhook]:
        return webhooks_of(await self._statements.read(_OF_TENANT, {"the_tenant": tenant}))

    async def listening(self, tenants: Collection[Tenant]) -> Sequence[Webhook]:
        if not tenants:
            return []
        return webhooks_of(await self._statements.lock(_LISTENING, {"tenants": sorted(tenants)}))

    async def save(self, webhook: Webhook) -> None:
        keys = {"the_tenant": webhook.tenant, "the_id": webhook.id, "the_version": webhook.version}
        row = values(webhook, [name for name in WEBHOOK_FIELDS if name not in _FARES])
        if not await self._statements.write(_SAVE, row | {"version": webhook.version + 1} | keys):
            raise StaleVersion(f"The webhook {webhook.id} was changed by somebody else.")

    async def remove(self, tenant: Tenant, webhook_id: str) -> bool:
        return bool(await self._statements.write(_REMOVE, {"the_tenant": tenant, "the_id": webhook_id}))

    async def fared(
        self, webhook_id: str, *, well: bool, at: datetime, failing_before: datetime, gone: bool = False
    ) -> bool:
        if well:
            await self._statements.write(_FARED_WELL, {"the_id": webhook_id})
            return False
        await self._statements.write(_FARED_BADLY, {"the_id": webhook_id, "at": at})
        about = {"the_id": webhook_id, "gone": gone, "failing_before": failing_before}
        return bool(await self._statements.write(_DISABLE, about | {"reason": GONE if gone else FAILING}))
