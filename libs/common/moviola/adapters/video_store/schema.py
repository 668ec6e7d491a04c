"""The tables as the code sees them. The migrations make them; a test holds the two together.

Every table has its tenant. Columns beside a record's own fields are the store's: they turn a question that is asked
often into an index, so that no question slows down with the number of videos that were ever stored.
"""

from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store.column_types import KEY, POSITION, Document, Name, UtcTime, Words
from moviola.plan import Plan
from moviola.ports.video_store import DeliveryState, WebhookSecret
from moviola.probe import Probe
from moviola.quality import Quality
from moviola.recipe import Recipe
from moviola.video import DEFAULT_TENANT, Failure, Findings, OutputFile, RunState, TaskState, VideoState

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", KEY, nullable=False, server_default=sa.text(f"'{DEFAULT_TENANT}'"))


def _partial(name: str, *columns: Any, where: sa.ColumnElement[bool], unique: bool = False) -> sa.Index:
    return sa.Index(name, *columns, unique=unique, postgresql_where=where, sqlite_where=where)


def _flagged(name: str, column: sa.Column[str], *, flag: sa.Column[bool], unique: bool) -> sa.Index:
    """SQLite uses a partial index only where the query says the same words, and there a flag is compared with 1."""
    return sa.Index(name, column, unique=unique, postgresql_where=flag, sqlite_where=sa.text(f"{flag.name} = 1"))


def is_in(column: sa.Column[Any], *states: TaskState) -> sa.ColumnElement[bool]:
    """*column* is one of *states*, spelt out in the SQL: a planner that sees parameters can't use a partial index."""
    return column.in_([sa.literal_column(f"'{state}'") for state in states])


# `started`: the run that was asked for last was made. Not part of the API's version, since the orchestrator sets it.
# `words`: title and file name, case folded, to look for a text in.
videos = sa.Table(
    "videos",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("state", Name(VideoState), nullable=False),
    sa.Column("title", Words, nullable=False),
    sa.Column("filename", Words, nullable=False),
    sa.Column("content_type", Words, nullable=False),
    sa.Column("object_key", KEY, nullable=False),
    sa.Column("object_etag", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.Text),
    sa.Column("recipe", Document(Recipe)),
    sa.Column("tags", Document(tuple[str, ...]), nullable=False),
    sa.Column("metadata", Document(dict[str, str]), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("cancel_requested_at", UtcTime),
    sa.Column("key_id", KEY),
    sa.Column("wanted_run", KEY),
    sa.Column("retry_of", KEY),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("started", sa.Boolean, nullable=False),
    sa.Column("words", Words, nullable=False),
    sa.Index("videos_tenant_id_idx", "tenant", "id"),
)
sa.Index("videos_tags_idx", videos.c.tags, postgresql_using="gin").ddl_if(dialect="postgresql")
_partial("videos_not_started_idx", videos.c.state, videos.c.id, where=sa.not_(videos.c.started))

# `is_latest` and `is_serving` each mark at most one run of a video; `is_unfinished` is told by the state.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("video_id", KEY, sa.ForeignKey("videos.id"), nullable=False),
    _tenant(),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", Name(RunState), nullable=False),
    sa.Column("recipe", Document(Recipe)),
    sa.Column("plan", Document(Plan)),
    sa.Column("probe", Document(Probe)),
    sa.Column("files", Document(tuple[OutputFile, ...]), nullable=False),
    sa.Column("failure", Document(Failure)),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("key_id", KEY),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("is_latest", sa.Boolean, nullable=False),
    sa.Column("is_serving", sa.Boolean, nullable=False),
    sa.Column("is_unfinished", sa.Boolean, nullable=False),
    sa.Column("quality", Document(Quality)),
    sa.Column("source_sha256", sa.Text),
    sa.UniqueConstraint("video_id", "number"),
)
_flagged("runs_latest_idx", runs.c.video_id, flag=runs.c.is_latest, unique=True)
_flagged("runs_serving_idx", runs.c.video_id, flag=runs.c.is_serving, unique=True)
_flagged("runs_unfinished_idx", runs.c.video_id, flag=runs.c.is_unfinished, unique=False)

# `position` keeps the order in which tasks were added: ids of several processes are only roughly in order. `flow` is
# whose share a task is of, `turn` its place among those of its kind and priority (see `turns`).
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("position", POSITION, primary_key=True),
    sa.Column("id", KEY, nullable=False, unique=True),
    sa.Column("run_id", KEY, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("video_id", KEY, nullable=False),
    _tenant(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", Name(TaskState), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("charged", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("key_id", KEY),
    sa.Column("cost", sa.Double, nullable=False, server_default=sa.text("0")),
    sa.Column("flow", KEY, nullable=False, server_default=sa.text("''")),
    sa.Column("turn", sa.Double, nullable=False, server_default=sa.text("0")),
    sa.Column("not_before", UtcTime),
    sa.Column("worker", sa.Text),
    sa.Column("nonce", sa.Text),
    sa.Column("dispatched_at", UtcTime),
    sa.Column("started_at", UtcTime),
    sa.Column("lease_until", UtcTime),
    sa.Column("deadline", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("outputs", Document(tuple[OutputFile, ...]), nullable=False),
    sa.Column("failure", Document(Failure)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("found", Document(Findings)),
    sa.Column("result_key", KEY),
    sa.Column("result_of", KEY),
    sa.Column("origin", KEY),
    sa.Index("tasks_run_id_position_idx", "run_id", "position"),
)
_partial(
    "tasks_results_idx",
    tasks.c.tenant,
    tasks.c.result_key,
    tasks.c.position,
    where=tasks.c.result_key.is_not(None),
)
_partial("tasks_origin_idx", tasks.c.origin, where=tasks.c.origin.is_not(None))
_partial(
    "tasks_waiting_idx",
    tasks.c.kind,
    tasks.c.priority.desc(),
    tasks.c.turn,
    tasks.c.created_at,
    tasks.c.position,
    where=is_in(tasks.c.state, TaskState.PENDING),
)
_partial(
    "tasks_flow_idx",
    tasks.c.flow,
    tasks.c.kind,
    tasks.c.priority,
    tasks.c.turn,
    where=is_in(tasks.c.state, TaskState.PENDING),
)
_partial("tasks_served_idx", tasks.c.kind, tasks.c.priority, tasks.c.turn, where=tasks.c.dispatched_at.is_not(None))
_partial(
    "tasks_live_idx",
    tasks.c.state,
    tasks.c.kind,
    where=is_in(tasks.c.state, TaskState.DISPATCHED, TaskState.RUNNING),
)

# `position` is the order in which entries were written, which of one run is the order of what happened.
history = sa.Table(
    "history",
    metadata,
    sa.Column("position", POSITION, primary_key=True),
    sa.Column("id", KEY, nullable=False, unique=True),
    sa.Column("video_id", KEY, sa.ForeignKey("videos.id"), nullable=False),
    sa.Column("run_id", KEY, nullable=False),
    _tenant(),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("previous", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("worker", sa.Text),
    sa.Column("attempt", sa.Integer),
    sa.Index("history_video_id_position_idx", "video_id", "position"),
)

# A posting knows no tenant (its body does), and workers serve all: there the column has its default.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("position", POSITION, primary_key=True),
    sa.Column("id", KEY, nullable=False, unique=True),
    _tenant(),
    sa.Column("exchange", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("correlation_id", sa.Text),
    sa.Column("headers", Document(dict[str, str]), nullable=False),
    sa.Column("user_id", sa.Text),
    sa.Column("written_at", UtcTime, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("tenant", KEY, primary_key=True),
    sa.Column("key", Words, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("video_id", KEY, nullable=False),
    sa.Column("run_id", KEY),
    sa.Column("status", sa.Integer),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index("idempotency_keys_taken_at_idx", "taken_at"),
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("name", Words, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("listed", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("watermarks_tenant_id_idx", "tenant", "id"),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("digest", KEY, nullable=False, unique=True),
    sa.Column("message_id", Words, nullable=False),
    sa.Column("type", Words, nullable=False),
    sa.Column("queue", KEY, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("exchange", sa.Text, nullable=False),
    sa.Column("key", Words, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("headers", Document(dict[str, str]), nullable=False),
    sa.Column("correlation_id", Words),
    sa.Column("user_id", Words),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("died_at", UtcTime, nullable=False),
    sa.Column("kept_at", UtcTime, nullable=False),
    sa.Column("redriven_at", UtcTime),
    sa.Index("dead_letters_tenant_id_idx", "tenant", "id"),
    sa.Index("dead_letters_redriven_at_idx", "redriven_at"),
    sa.Index("dead_letters_correlation_id_idx", "correlation_id"),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("url", Words, nullable=False),
    sa.Column("events", Document(tuple[str, ...]), nullable=False),
    sa.Column("description", Words, nullable=False),
    sa.Column("secrets", Document(tuple[WebhookSecret, ...]), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("failing_since", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("webhooks_tenant_id_idx", "tenant", "id"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("webhook_id", KEY, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    _tenant(),
    sa.Column("event_id", KEY, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", Name(DeliveryState), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("not_before", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("attempted_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("status", sa.Integer),
    sa.Column("seconds", sa.Float),
    sa.Column("answer", sa.Text),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("webhook_id", "event_id"),
    sa.Index("webhook_deliveries_webhook_id_id_idx", "webhook_id", "id"),
    sa.Index("webhook_deliveries_finished_at_idx", "finished_at"),
)
_partial(
    "webhook_deliveries_due_idx",
    webhook_deliveries.c.not_before,
    where=webhook_deliveries.c.state == sa.literal_column("'pending'"),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("kinds", Document(tuple[str, ...]), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("strikes", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("struck_by", KEY),
    sa.Column("resting_until", UtcTime),
    sa.Column("engine", sa.Text, nullable=False, server_default=sa.text("''")),
)

# The key itself is nowhere: `sha256` is what it is found by.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", KEY, primary_key=True),
    _tenant(),
    sa.Column("name", Words, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("sha256", KEY, nullable=False, unique=True),
    sa.Column("scopes", Document(tuple[str, ...]), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Index("api_keys_tenant_id_idx", "tenant", "id"),
)

# Laid by the deletion of a video, completed by the orchestrator: what is left to do is a short index, not a search.
# `released`: somebody who shared its objects is gone, so that some of them may be nobody's now; anew with each.
purges = sa.Table(
    "purges",
    metadata,
    sa.Column("video_id", KEY, sa.ForeignKey("videos.id"), primary_key=True),
    _tenant(),
    sa.Column("purged_at", UtcTime),
    sa.Column("released", KEY),
)
_partial("purges_released_idx", purges.c.video_id, where=purges.c.released.is_not(None))
_partial("purges_to_do_idx", purges.c.video_id, where=purges.c.purged_at.is_(None))
