"""What the migrations make is what the code believes to be there."""

import importlib.resources
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.engines import engines_for
from moviola.adapters.video_store.migration import _scripts
from moviola.errors import StoreUnavailable
from tests.contracts.video_store.conftest import Opener

# Column by column: the words of a table that was altered are others than those of one that was made so.
SQLITE = (
    """
    SELECT tables.name, columns.name, columns.type, columns."notnull", columns.dflt_value, columns.pk
    FROM sqlite_master tables, pragma_table_info(tables.name) columns
    WHERE tables.type = 'table' AND tables.name != 'alembic_version'
    """,
    """
    SELECT tables.name, fk."table", fk."from", fk."to"
    FROM sqlite_master tables, pragma_foreign_key_list(tables.name) fk WHERE tables.type = 'table'
    """,
    """
    SELECT tables.name, ix."unique", ix.origin, (SELECT group_concat(name) FROM pragma_index_info(ix.name))
    FROM sqlite_master tables, pragma_index_list(tables.name) ix
    WHERE tables.type = 'table' AND tables.name != 'alembic_version'
    """,
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name != 'alembic_version'",
)
POSTGRESQL = (
    """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name != 'alembic_version'
    """,
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename != 'alembic_version'",
    """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid != 'alembic_version'::regclass
    """,
)


def normalised(text: object) -> str:
    return re.sub(r"[\s\"]+|(?<=[(,])\s+", " ", str(text)).strip()


async def described(connection: AsyncConnection) -> set[Sequence[str]]:
    """Every table, column, index and constraint, as the database tells it."""
    queries = SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL
    return {tuple(map(normalised, row)) for query in queries for row in await connection.execute(sa.text(query))}


async def test_the_migrated_schema_is_the_one_of_the_code(open_store: Opener, database_url: str) -> None:
    async with open_store() as store:
        await store.migrate()
    engines = engines_for(database_url)
    async with engines.writer.begin() as connection:
        migrated = await described(connection)
        await connection.run_sync(schema.metadata.drop_all)
        await connection.run_sync(schema.metadata.create_all)
        created = await described(connection)
    await engines.dispose()

    assert migrated - created == created - migrated == set()


async def test_every_table_has_its_tenant_from_the_first_migration() -> None:
    assert all("tenant" in table.columns for table in schema.metadata.tables.values())


async def test_another_versions_schema_is_not_taken_for_ours(open_store: Opener, database_url: str) -> None:
    engines = engines_for(database_url)
    async with open_store() as store:
        await store.migrate()
        async with engines.writer.begin() as connection:
            await connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))

        with pytest.raises(StoreUnavailable, match="0000"):
            await store.check()
    await engines.dispose()


def test_there_is_one_newest_revision_and_all_are_in_the_package() -> None:
    """Data that a wheel leaves out would show only where the code is installed."""
    directory = importlib.resources.files("moviola.adapters.video_store.migrations")

    names = {entry.name for entry in directory.iterdir() if entry.name.startswith("revision_")}

    assert len(_scripts().get_heads()) == 1
    assert {Path(script.path).name for script in _scripts().walk_revisions()} == names
