"""The step cache: by what a result is known, whose it was, and what is still to be collected once nobody shares it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("runs", sa.Column("source_sha256", sa.Text()))
    op.add_column("tasks", sa.Column("found", DOCUMENT))
    op.add_column("tasks", sa.Column("result_key", KEY))
    op.add_column("tasks", sa.Column("result_of", KEY))
    op.add_column("tasks", sa.Column("origin", KEY))
    op.add_column("workers", sa.Column("engine", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("watermarks", sa.Column("listed", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("purges", sa.Column("released", KEY))
    _partial("tasks_results_idx", "tasks", ["tenant", "result_key", "position"], where="result_key IS NOT NULL")
    _partial("tasks_origin_idx", "tasks", ["origin"], where="origin IS NOT NULL")
    _partial("purges_released_idx", "purges", ["video_id"], where="released IS NOT NULL")


def _partial(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
