"""The outbox: messages that wait for a relay, in the order in which they were written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store.schema import outbox
from moviola.adapters.video_store.statements import Statements
from moviola.ports.message_bus import Envelope, Posting
from moviola.topology import Address
from moviola.video import utc_now

_ADD = sa.insert(outbox)
_CLAIM = (
    sa.select(
        outbox.c.exchange,
        outbox.c.key,
        outbox.c.id,
        outbox.c.type,
        outbox.c.body,
        outbox.c.correlation_id,
        outbox.c.headers,
        outbox.c.user_id,
    )
    .order_by(outbox.c.position)
    .limit(sa.bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_SENT = sa.delete(outbox).where(outbox.c.id.in_(sa.bindparam("ids", expanding=True)))
_PENDING = sa.select(sa.func.count(), sa.func.min(outbox.c.written_at))


def _row(posting: Posting, now: datetime) -> dict[str, Any]:
    envelope = posting.envelope
    return {
        "exchange": posting.address.exchange,
        "key": posting.address.key,
        "id": envelope.id,
        "type": envelope.type,
        "body": envelope.body,
        "correlation_id": envelope.correlation_id,
        "headers": envelope.headers,
        "user_id": envelope.user_id,
        "written_at": now,
    }


class SqlOutbox:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, postings: Sequence[Posting]) -> None:
        if not postings:
            return
        now = utc_now()
        await self._statements.write(_ADD, [_row(posting, now) for posting in postings])
        self._statements.outbox_written = True

    async def claim(self, *, limit: int) -> Sequence[Posting]:
        rows = await self._statements.lock(_CLAIM, {"limit": limit})
        return [
            Posting(
                Address(row.exchange, row.key),
                Envelope(
                    id=row.id,
                    type=row.type,
                    body=row.body,
                    correlation_id=row.correlation_id,
                    headers=row.headers,
                    user_id=row.user_id,
                ),
            )
            for row in rows
        ]

    async def sent(self, ids: Sequence[str]) -> None:
        if ids:
            await self._statements.write(_SENT, {"ids": list(ids)})

    async def pending(self) -> tuple[int, datetime | None]:
        [row] = await self._statements.read(_PENDING)
        return row[0], row[1]
