"""Dead letters; and history in the order in which it was written: ids of several processes are only roughly so."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
_OLD = "id, video_id, run_id, tenant, at, subject, previous, state, event, cause, worker, attempt"


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", KEY, server_default=sa.text("'default'"), nullable=False)


def upgrade() -> None:
    _order_history()
    _dead_letters()


def _order_history() -> None:
    # A column that counts by itself can't be added to a table in SQLite, so that the table is made anew.
    op.drop_index("history_video_id_id_idx", "history")
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("history_video_id_fkey", "history")
        op.drop_constraint("history_pkey", "history")
    op.rename_table("history", "history_before")
    op.create_table(
        "history",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("video_id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        _tenant(),
        sa.Column("at", TIME, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("attempt", sa.Integer()),
        sa.PrimaryKeyConstraint("position", name="history_pkey"),
        sa.UniqueConstraint("id", name="history_id_key"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="history_video_id_fkey"),
    )
    op.create_index("history_video_id_position_idx", "history", ["video_id", "position"])
    op.execute(f"INSERT INTO history ({_OLD}) SELECT {_OLD} FROM history_before ORDER BY id")  # noqa: S608  our words
    op.drop_table("history_before")


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", KEY, nullable=False),
        _tenant(),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("headers", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("user_id", sa.Text()),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("died_at", TIME, nullable=False),
        sa.Column("kept_at", TIME, nullable=False),
        sa.Column("redriven_at", TIME),
        sa.PrimaryKeyConstraint("id", name="dead_letters_pkey"),
        sa.UniqueConstraint("digest", name="dead_letters_digest_key"),
    )
    op.create_index("dead_letters_tenant_id_idx", "dead_letters", ["tenant", "id"])
    op.create_index("dead_letters_redriven_at_idx", "dead_letters", ["redriven_at"])
    op.create_index("dead_letters_correlation_id_idx", "dead_letters", ["correlation_id"])
