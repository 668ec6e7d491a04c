"""API keys, found by the digest of what the client sends."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, values
from moviola.api_keys import ApiKey
from moviola.video import KeyId, Tenant

API_KEY_FIELDS = field_names(ApiKey)
_keys = schema.api_keys
_select = sa.select(*columns(_keys, API_KEY_FIELDS))
_is_the_one = sa.and_(_keys.c.tenant == sa.bindparam("the_tenant"), _keys.c.id == sa.bindparam("the_id"))

_INSERT = sa.insert(_keys)
_BY_DIGEST = _select.where(_keys.c.sha256 == sa.bindparam("sha256"))
_ANY = sa.select(sa.literal(1)).where(sa.exists(sa.select(_keys.c.id)))
_ALL = _select.order_by(_keys.c.id.desc())
_OF_TENANT = _ALL.where(_keys.c.tenant == sa.bindparam("the_tenant"))
_GET = _select.where(_is_the_one)
# Revoked once, it stays revoked as of then.
_REVOKE = sa.update(_keys).where(_is_the_one, _keys.c.revoked_at.is_(None)).values(revoked_at=sa.bindparam("at"))
_USED = sa.update(_keys).where(_keys.c.id == sa.bindparam("the_id")).values(last_used_at=sa.bindparam("at"))


def _keys_of(rows: Sequence[Row]) -> list[ApiKey]:
    return [ApiKey(**row._mapping) for row in rows]


class SqlApiKeys:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, key: ApiKey) -> None:
        await self._statements.write(_INSERT, values(key, API_KEY_FIELDS))

    async def by_digest(self, sha256: str) -> ApiKey | None:
        rows = await self._statements.read(_BY_DIGEST, {"sha256": sha256})
        return _keys_of(rows)[0] if rows else None

    async def any(self) -> bool:
        return bool(await self._statements.read(_ANY))

    async def all(self, tenant: Tenant | None = None) -> Sequence[ApiKey]:
        if tenant is None:
            return _keys_of(await self._statements.read(_ALL))
        return _keys_of(await self._statements.read(_OF_TENANT, {"the_tenant": tenant}))

    async def revoke(self, tenant: Tenant, key_id: KeyId, *, at: datetime) -> bool:
        the_one = {"the_tenant": tenant, "the_id": key_id}
        return bool(
            await self._statements.write(_REVOKE, the_one | {"at": at}) or await self._statements.read(_GET, the_one)
        )

    async def used(self, key_id: KeyId, *, at: datetime) -> None:
        await self._statements.write(_USED, {"the_id": key_id, "at": at})
