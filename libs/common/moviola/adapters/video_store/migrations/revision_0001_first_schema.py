"""The first schema: videos, runs, tasks, history, outbox, idempotency keys, workers, purges."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", KEY, server_default=sa.text("'default'"), nullable=False)


def _partial(name: str, table: str, columns: list[Any], *, where: str, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    _videos()
    _runs()
    _tasks()
    _history()
    _outbox()
    _idempotency_keys()
    _workers()
    _purges()


def _videos() -> None:
    op.create_table(
        "videos",
        sa.Column("id", KEY, nullable=False),
        _tenant(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("object_key", KEY, nullable=False),
        sa.Column("object_etag", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("sha256", sa.Text()),
        sa.Column("recipe", DOCUMENT),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="videos_pkey"),
    )
    op.create_index("videos_tenant_id_idx", "videos", ["tenant", "id"])
    if op.get_context().dialect.name == "postgresql":
        op.create_index("videos_tags_idx", "videos", ["tags"], postgresql_using="gin")
    _partial("videos_not_started_idx", "videos", ["state", "id"], where=_false("started"))


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("video_id", KEY, nullable=False),
        _tenant(),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recipe", DOCUMENT),
        sa.Column("plan", DOCUMENT),
        sa.Column("probe", DOCUMENT),
        sa.Column("files", DOCUMENT, nullable=False),
        sa.Column("failure", DOCUMENT),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("is_serving", sa.Boolean(), nullable=False),
        sa.Column("is_unfinished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="runs_pkey"),
        sa.UniqueConstraint("video_id", "number", name="runs_video_id_number_key"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="runs_video_id_fkey"),
    )
    _partial("runs_latest_idx", "runs", ["video_id"], where=_true("is_latest"), unique=True)
    _partial("runs_serving_idx", "runs", ["video_id"], where=_true("is_serving"), unique=True)
    _partial("runs_unfinished_idx", "runs", ["video_id"], where=_true("is_unfinished"))


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("video_id", KEY, nullable=False),
        _tenant(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("charged", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("not_before", TIME),
        sa.Column("worker", sa.Text()),
        sa.Column("nonce", sa.Text()),
        sa.Column("dispatched_at", TIME),
        sa.Column("started_at", TIME),
        sa.Column("lease_until", TIME),
        sa.Column("deadline", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("outputs", DOCUMENT, nullable=False),
        sa.Column("failure", DOCUMENT),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("position", name="tasks_pkey"),
        sa.UniqueConstraint("id", name="tasks_id_key"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="tasks_run_id_fkey"),
    )
    op.create_index("tasks_run_id_position_idx", "tasks", ["run_id", "position"])
    waiting = ["kind", sa.text("priority DESC"), "created_at", "position"]
    _partial("tasks_waiting_idx", "tasks", waiting, where="state IN ('pending')")
    _partial("tasks_live_idx", "tasks", ["state", "kind"], where="state IN ('dispatched', 'running')")


def _history() -> None:
    op.create_table(
        "history",
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
        sa.PrimaryKeyConstraint("id", name="history_pkey"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="history_video_id_fkey"),
    )
    op.create_index("history_video_id_id_idx", "history", ["video_id", "id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("id", KEY, nullable=False),
        _tenant(),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("headers", DOCUMENT, nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("written_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("position", name="outbox_pkey"),
        sa.UniqueConstraint("id", name="outbox_id_key"),
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("video_id", KEY, nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("taken_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="idempotency_keys_pkey"),
    )
    op.create_index("idempotency_keys_taken_at_idx", "idempotency_keys", ["taken_at"])


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", KEY, nullable=False),
        _tenant(),
        sa.Column("kinds", DOCUMENT, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="workers_pkey"),
    )


def _purges() -> None:
    op.create_table(
        "purges",
        sa.Column("video_id", KEY, nullable=False),
        _tenant(),
        sa.Column("purged_at", TIME),
        sa.PrimaryKeyConstraint("video_id", name="purges_pkey"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="purges_video_id_fkey"),
    )
    _partial("purges_to_do_idx", "purges", ["video_id"], where="purged_at IS NULL")


def _true(column: str) -> str:
    return column if op.get_context().dialect.name == "postgresql" else f"{column} = 1"


def _false(column: str) -> str:
    return f"NOT {column}" if op.get_context().dialect.name == "postgresql" else f"{column} = 0"
