"""Bringing the schema to this version, and saying whether it is there."""

from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from moviola.adapters.video_store.translation import translated
from moviola.errors import StoreUnavailable

_DIRECTORY = Path(__file__).with_name("migrations")
_VERSION = sa.table("alembic_version", sa.column("version_num"))
# Any number that no other program on the same database uses: "Moviola" in ASCII.
_LOCK = int.from_bytes(b"Moviola", "big")


async def migrate(engine: AsyncEngine) -> None:
    """All missing revisions in one transaction under a lock: a process that comes second waits and finds them done."""
    with translated():
        async with engine.begin() as connection:
            # SQLite's transaction, opened with BEGIN IMMEDIATE, is such a lock already.
            if engine.dialect.name == "postgresql":
                await connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            await connection.run_sync(_upgrade)


async def check(engine: AsyncEngine) -> None:
    with translated():
        async with engine.connect() as connection:
            if not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(_VERSION.name)):
                raise StoreUnavailable("The database has no schema yet; run `moviola migrate`.")
            found = (await connection.execute(sa.select(_VERSION.c.version_num))).scalars().all()
    wanted = _scripts().get_current_head()
    if found != [wanted]:
        raise StoreUnavailable(f"The database's schema is {', '.join(found) or 'empty'}, and {wanted} is needed.")


def _upgrade(connection: sa.Connection) -> None:
    def missing(revision: Any, _context: MigrationContext) -> Any:
        return _scripts()._upgrade_revs("head", revision)

    context = MigrationContext.configure(connection, opts={"fn": missing, "transactional_ddl": True})
    with Operations.context(context):
        context.run_migrations()


@cache
def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    config.set_main_option("version_locations", str(_DIRECTORY).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)
