"""How values lie in columns: the same Python value comes out of either database as went in."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime, TypeEngine

from moviola.errors import InvalidInput

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

# Ids and keys are compared byte by byte, in PostgreSQL as in SQLite, whatever the locale of the database.
KEY = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite counts up by itself only what is declared INTEGER PRIMARY KEY.
POSITION = BigInteger().with_variant(Integer(), "sqlite")


_UNSTORABLE = "A text must not hold U+0000 or half of a surrogate pair."


def refuse_unstorable(text: str) -> None:
    """``InvalidInput`` for a text that PostgreSQL or UTF-8 has no form for."""
    if "\0" in text:
        raise InvalidInput(_UNSTORABLE)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(_UNSTORABLE) from error


class Words(TypeDecorator[str]):
    """A client's words. What one of the databases can't hold (a NUL, half a surrogate) is ``InvalidInput`` in both."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None:
            refuse_unstorable(value)
        return value


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite gives times back naive, so the zone is taken off there and put on again."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times are stored with a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Name(TypeDecorator[E], Generic[E]):
    """A member of a set of names, kept as its text: a new member needs no migration."""

    impl = Text
    cache_ok = True

    def __init__(self, names: type[E]) -> None:
        super().__init__()
        self.names = names

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.names(value)


class Document(TypeDecorator[T], Generic[T]):
    """A pydantic value, or a tuple or mapping of plain ones, kept as JSON (JSONB in PostgreSQL); None is NULL.

    The engine's JSON functions leave the work to pydantic, which reads and writes the text without a detour.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, form: type[T]) -> None:
        super().__init__()
        self.form = form
        self._adapter: TypeAdapter[T] = TypeAdapter(form)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True)
        return dialect.type_descriptor(kind)

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._adapter.validate_json(value)


def write_json(value: object) -> str:
    """The JSON text of a document; ``InvalidInput`` for a character in it that JSONB can't hold."""
    try:
        text = to_json(value).decode()
    except ValueError as error:
        raise InvalidInput(_UNSTORABLE) from error
    # A backslash in a text is written as two, so behind an odd number of them this is the NUL.
    if "\\u0000" in text and "\\u0000" in text.replace("\\\\", ""):
        raise InvalidInput(_UNSTORABLE)
    return text


def keep_json(text: str) -> str:
    """The JSON text itself: ``Document`` reads it."""
    return text
