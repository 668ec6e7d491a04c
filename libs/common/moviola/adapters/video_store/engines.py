"""Connections to the one database or the other, so that the code above need not know which it is.

SQLite (embedded, one process)
    One connection writes, and whoever wants it queues for it in order; a few others read. The file is in WAL mode, so
    readers and the writer don't wait for each other. Every write transaction opens with BEGIN IMMEDIATE: a transaction
    that reads first and writes later would otherwise lose updates or fail half-way. ``synchronous=FULL`` syncs the log
    at every commit. A killed process loses nothing with NORMAL either, since the kernel has the pages; but a machine
    that loses its power would forget videos that were answered with 202, and PostgreSQL does not do that either.

PostgreSQL
    A pool of connections, each with time limits, since a server that hangs must not hang us.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from moviola.adapters.video_store.column_types import keep_json, write_json
from moviola.adapters.video_store.translation import translated

BUSY_SECONDS = 10
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
_JSON = {"json_serializer": write_json, "json_deserializer": keep_json}


@dataclass(frozen=True, slots=True)
class Engines:
    """``writer`` begins transactions that write, ``reader`` consistent ones that only read.

    ``unpooled`` is for a connection that is held for long and hears notifications; None where there are none.
    """

    writer: AsyncEngine
    reader: AsyncEngine
    unpooled: AsyncEngine | None = None

    async def dispose(self) -> None:
        await self.reader.dispose()
        await self.writer.dispose()


def engines_for(url: str) -> Engines:
    """Nothing is connected yet; ``ValueError`` for a database that we don't know."""
    match make_url(url).get_backend_name():
        case "sqlite":
            return _sqlite(url)
        case "postgresql":
            return _postgresql(url)
        case other:
            raise ValueError(f"there is no video store on {other!r}")


def _postgresql_engine(url: str, **options: Any) -> AsyncEngine:
    settings = {
        "application_name": "moviola",
        "lock_timeout": f"{BUSY_SECONDS}s",
        "idle_in_transaction_session_timeout": "60s",
        # Plans are made once a statement; compiling them to machine code costs more than it ever saves here.
        "jit": "off",
    }
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        connect_args={"timeout": CONNECT_SECONDS, "command_timeout": ANSWER_SECONDS, "server_settings": settings},
        **_JSON,
        **options,
    )


def _postgresql(url: str) -> Engines:
    writer = _postgresql_engine(url, pool_size=10, max_overflow=10, pool_timeout=BUSY_SECONDS)
    reader = writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Engines(writer, reader, unpooled=_postgresql_engine(url, poolclass=NullPool))


def _sqlite(url: str) -> Engines:
    path = make_url(url).database
    if not path or path == ":memory:":
        raise ValueError("the video store needs a file: sqlite+aiosqlite:///path")
    with translated():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Engines(
        writer=_sqlite_engine(url, size=1, begin="BEGIN IMMEDIATE", query_only=False),
        reader=_sqlite_engine(url, size=4, begin="BEGIN", query_only=True),
    )


def _sqlite_engine(url: str, *, size: int, begin: str, query_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS * 3,
        # The driver must not begin transactions by itself, least of all a deferred one.
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS},
        **_JSON,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA query_only={int(query_only)}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def open_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
