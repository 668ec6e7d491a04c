"""Idempotency keys: who took one, and what was answered."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from moviola.adapters.video_store.schema import idempotency_keys
from moviola.adapters.video_store.statements import Statements, upsert
from moviola.errors import StaleVersion
from moviola.ports.video_store import Answer
from moviola.video import RunId, Tenant, VideoId

KEPT_FOR = timedelta(hours=24)
_columns = idempotency_keys.c
_is_the_key = sa.and_(_columns.tenant == sa.bindparam("the_tenant"), _columns.key == sa.bindparam("the_key"))

# Another request that holds the key and has not committed is waited for: then its answer is read, not a guess.
_TAKE = upsert(
    lambda insert: (taking := insert(idempotency_keys)).on_conflict_do_update(
        index_elements=[_columns.tenant, _columns.key],
        set_={name: taking.excluded[name] for name in ("fingerprint", "video_id", "run_id", "status", "taken_at")},
        where=_columns.taken_at <= sa.bindparam("expired"),
    )
)
_HOLDER = sa.select(_columns.fingerprint, _columns.video_id, _columns.status, _columns.run_id).where(_is_the_key)
_FINISH = sa.update(idempotency_keys).where(_is_the_key)
_ABANDON = sa.delete(idempotency_keys).where(_is_the_key)
# A few at a time, with every key that is taken: the table stays as large as a day.
_EXPIRE = sa.delete(idempotency_keys).where(
    sa.tuple_(_columns.tenant, _columns.key).in_(
        sa.select(_columns.tenant, _columns.key)
        .where(_columns.taken_at <= sa.bindparam("expired"))
        .limit(20)
        .with_for_update(skip_locked=True)
    )
)


class SqlIdempotencyKeys:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def begin(
        self,
        tenant: Tenant,
        key: str,
        *,
        fingerprint: str,
        video_id: VideoId,
        now: datetime,
        run_id: RunId | None = None,
    ) -> Answer | None:
        expired = {"expired": now - KEPT_FOR}
        await self._statements.write(_EXPIRE, expired)
        row = {"tenant": tenant, "key": key, "fingerprint": fingerprint, "video_id": video_id, "run_id": run_id}
        if await self._statements.upsert(_TAKE, row | {"status": None, "taken_at": now} | expired):
            return None
        holder = await self._statements.read(_HOLDER, {"the_tenant": tenant, "the_key": key})
        if not holder:
            raise StaleVersion("The idempotency key was given back at this moment.")
        return Answer(**holder[0]._mapping)

    async def finish(self, tenant: Tenant, key: str, *, fingerprint: str, status: int) -> None:
        keys = {"the_tenant": tenant, "the_key": key}
        await self._statements.write(_FINISH, keys | {"fingerprint": fingerprint, "status": status})

    async def abandon(self, tenant: Tenant, key: str) -> None:
        await self._statements.write(_ABANDON, {"the_tenant": tenant, "the_key": key})
