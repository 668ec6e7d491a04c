"""API keys, whose share of the workers a task is, runs that clients ask for, and workers that rest."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
PENDING = "state IN ('pending')"


def _partial(name: str, table: str, columns: list[Any], *, where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    _api_keys()
    for table, names in {"videos": ("key_id", "wanted_run", "retry_of"), "runs": ("key_id",)}.items():
        for name in names:
            op.add_column(table, sa.Column(name, KEY))
    op.add_column("idempotency_keys", sa.Column("run_id", KEY))
    _tasks()
    op.add_column("workers", sa.Column("strikes", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("workers", sa.Column("struck_by", KEY))
    op.add_column("workers", sa.Column("resting_until", TIME))


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("tenant", KEY, server_default=sa.text("'default'"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.Column("last_used_at", TIME),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("sha256", name="api_keys_sha256_key"),
    )
    op.create_index("api_keys_tenant_id_idx", "api_keys", ["tenant", "id"])


def _tasks() -> None:
    op.add_column("tasks", sa.Column("key_id", KEY))
    op.add_column("tasks", sa.Column("cost", sa.Double(), nullable=False, server_default=sa.text("0")))
    op.add_column("tasks", sa.Column("flow", KEY, nullable=False, server_default=sa.text("''")))
    op.add_column("tasks", sa.Column("turn", sa.Double(), nullable=False, server_default=sa.text("0")))
    op.drop_index("tasks_waiting_idx", "tasks")
    waiting = ["kind", sa.text("priority DESC"), "turn", "created_at", "position"]
    _partial("tasks_waiting_idx", "tasks", waiting, where=PENDING)
    _partial("tasks_flow_idx", "tasks", ["flow", "kind", "priority", "turn"], where=PENDING)
    _partial("tasks_served_idx", "tasks", ["kind", "priority", "turn"], where="dispatched_at IS NOT NULL")
