"""One transaction's connection, as the aggregates use it: statements in, rows out, errors translated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from moviola.adapters.video_store.translation import translated

Parameters = Mapping[str, Any]
Upsert = Mapping[str, sa.Executable]
Row = sa.Row[*tuple[Any, ...]]


class Statements:
    """Run statements of one transaction. A snapshot's refuses to write or lock, on both databases alike."""

    def __init__(self, connection: AsyncConnection, *, writable: bool) -> None:
        self._connection = connection
        self._writable = writable
        self.outbox_written = False

    async def read(self, statement: sa.Executable, parameters: Parameters | None = None) -> Sequence[Row]:
        with translated():
            return (await self._connection.execute(statement, parameters)).all()

    async def lock(self, statement: sa.Executable, parameters: Parameters | None = None) -> Sequence[Row]:
        """The rows, which stay locked until the transaction ends; on SQLite all of them are from its beginning."""
        self._refuse_unless_writable()
        return await self.read(statement, parameters)

    async def write(self, statement: sa.Executable, parameters: Parameters | Sequence[Parameters]) -> int:
        """How many rows were written; not to be relied on for several parameter sets."""
        self._refuse_unless_writable()
        with translated():
            return (await self._connection.execute(statement, parameters)).rowcount

    async def upsert(self, statement: Upsert, parameters: Parameters) -> int:
        return await self.write(statement[self._connection.dialect.name], parameters)

    def _refuse_unless_writable(self) -> None:
        if not self._writable:
            raise RuntimeError("a snapshot is for reading only")


def upsert(build: Callable[[Any], sa.Executable]) -> Upsert:
    """What *build* makes of an ``insert`` function, for each database: ``ON CONFLICT`` has no common form yet."""
    return {"postgresql": build(postgresql.insert), "sqlite": build(sqlite.insert)}


def field_names(record: type[Any]) -> tuple[str, ...]:
    """The fields of a record, which are columns of the same names."""
    return tuple(field.name for field in fields(record))


def columns(table: sa.FromClause, names: Sequence[str]) -> list[sa.ColumnElement[Any]]:
    return [table.c[name] for name in names]


def values(record: object, names: Sequence[str]) -> dict[str, Any]:
    """A record as parameters of an INSERT or UPDATE."""
    return {name: getattr(record, name) for name in names}
