"""The video store: one SQLAlchemy Core code on SQLite and PostgreSQL.

It needs a database that it may make tables in, and nothing else. It promises what the port says: a transaction is
committed on leaving or dropped, rows that are locked stay so until then, and what was committed survives the process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from moviola.adapters.video_store import migration
from moviola.adapters.video_store.api_keys import SqlApiKeys
from moviola.adapters.video_store.dead_letters import SqlDeadLetters
from moviola.adapters.video_store.doorbell import Doorbell, InProcessDoorbell
from moviola.adapters.video_store.engines import Engines, engines_for
from moviola.adapters.video_store.history import SqlHistory
from moviola.adapters.video_store.idempotency_keys import SqlIdempotencyKeys
from moviola.adapters.video_store.notifications import open_postgresql_doorbell
from moviola.adapters.video_store.outbox import SqlOutbox
from moviola.adapters.video_store.results import SqlResults
from moviola.adapters.video_store.runs import SqlRuns
from moviola.adapters.video_store.statements import Statements
from moviola.adapters.video_store.tasks import SqlTasks
from moviola.adapters.video_store.translation import translated
from moviola.adapters.video_store.videos import SqlVideos
from moviola.adapters.video_store.watermarks import SqlWatermarks
from moviola.adapters.video_store.webhook_deliveries import SqlWebhookDeliveries
from moviola.adapters.video_store.webhooks import SqlWebhooks
from moviola.adapters.video_store.workers import SqlWorkers
from moviola.errors import StoreUnavailable
from moviola.ports.video_store import Transaction, VideoStore
from moviola.video import utc_now


class SqlTransaction:
    """The ports of one transaction, each made when it is asked for."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    @cached_property
    def videos(self) -> SqlVideos:
        return SqlVideos(self._statements)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self._statements)

    @cached_property
    def tasks(self) -> SqlTasks:
        return SqlTasks(self._statements)

    @cached_property
    def history(self) -> SqlHistory:
        return SqlHistory(self._statements)

    @cached_property
    def outbox(self) -> SqlOutbox:
        return SqlOutbox(self._statements)

    @cached_property
    def idempotency_keys(self) -> SqlIdempotencyKeys:
        return SqlIdempotencyKeys(self._statements)

    @cached_property
    def api_keys(self) -> SqlApiKeys:
        return SqlApiKeys(self._statements)

    @cached_property
    def watermarks(self) -> SqlWatermarks:
        return SqlWatermarks(self._statements)

    @cached_property
    def dead_letters(self) -> SqlDeadLetters:
        return SqlDeadLetters(self._statements)

    @cached_property
    def webhooks(self) -> SqlWebhooks:
        return SqlWebhooks(self._statements)

    @cached_property
    def webhook_deliveries(self) -> SqlWebhookDeliveries:
        return SqlWebhookDeliveries(self._statements)

    @cached_property
    def results(self) -> SqlResults:
        return SqlResults(self._statements)

    @cached_property
    def workers(self) -> SqlWorkers:
        return SqlWorkers(self._statements)


class SqlVideoStore:
    def __init__(self, engines: Engines, doorbell: Doorbell) -> None:
        self._engines = engines
        self._doorbell = doorbell
        self._connected_since: datetime | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._watched(), _begun(self._engines.writer) as connection:
            statements = Statements(connection, writable=True)
            yield SqlTransaction(statements)
            with translated():
                await connection.commit()
            if statements.outbox_written:
                self._doorbell.ring()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        async with self._watched(), _begun(self._engines.reader) as connection:
            yield SqlTransaction(Statements(connection, writable=False))

    async def migrate(self) -> None:
        async with self._watched():
            await migration.migrate(self._engines.writer)

    async def outbox_written(self, *, timeout: float) -> bool:
        return await self._doorbell.wait(timeout=timeout)

    async def check(self) -> None:
        async with self._watched():
            await migration.check(self._engines.reader)

    def connected_since(self) -> datetime | None:
        return self._connected_since

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Remember whether the database answers."""
        try:
            yield
        except StoreUnavailable:
            self._connected_since = None
            raise
        if self._connected_since is None:
            self._connected_since = utc_now()


@asynccontextmanager
async def _begun(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection with a transaction; what was not committed when it is left is dropped."""
    connection = engine.connect()
    with translated():
        await connection.start()
    try:
        with translated():
            await connection.begin()
        yield connection
    finally:
        # Shielded: a connection that is left half-closed would keep its locks until the garbage collector finds it.
        with translated():
            await asyncio.shield(asyncio.ensure_future(connection.close()))


@asynccontextmanager
async def open_video_store(url: str) -> AsyncIterator[VideoStore]:
    """``sqlite+aiosqlite:///path`` (its directory is made) or ``postgresql+asyncpg://…``; connects when first used."""
    engines = engines_for(url)
    try:
        async with _doorbell(engines) as doorbell:
            yield SqlVideoStore(engines, doorbell)
    finally:
        await engines.dispose()


def _doorbell(engines: Engines) -> AbstractAsyncContextManager[Doorbell]:
    if engines.unpooled is None:
        return nullcontext(InProcessDoorbell())
    return open_postgresql_doorbell(engines.writer, engines.unpooled)
