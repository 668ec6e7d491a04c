"""Whether a JSON list of words holds a certain one: each database has its own way to ask."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class holds_tag(FunctionElement[bool]):
    """``holds_tag(column, tag)``."""

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], tag: str) -> None:
        super().__init__(column, sa.literal(tag, sa.Text))


@compiles(holds_tag, "postgresql")
def _by_index(element: holds_tag, compiler: SQLCompiler, **kw: Any) -> str:
    # The operator that the GIN index on the column answers.
    column, tag = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} ? {tag}"


@compiles(holds_tag, "sqlite")
def _by_search(element: holds_tag, compiler: SQLCompiler, **kw: Any) -> str:
    column, tag = (compiler.process(clause, **kw) for clause in element.clauses)
    # The pieces are SQL that SQLAlchemy compiled; the tag is a parameter.
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = {tag})"  # noqa: S608  (see above)
