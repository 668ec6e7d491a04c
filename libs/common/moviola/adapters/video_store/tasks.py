"""Tasks: the work to do, who has it, and what is late."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.schema import is_in
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, values
from moviola.adapters.video_store.turns import NEXT_TURN, asking, flow_of
from moviola.video import RunId, Task, TaskId, TaskState

TASK_FIELDS = field_names(Task)
_tasks, _runs = schema.tasks, schema.runs
_is_live = is_in(_tasks.c.state, TaskState.DISPATCHED, TaskState.RUNNING)
_is_running = is_in(_tasks.c.state, TaskState.RUNNING)
_is_dispatched = is_in(_tasks.c.state, TaskState.DISPATCHED)

_select = sa.select(*columns(_tasks, TASK_FIELDS))
_ADD = sa.insert(_tasks).values(turn=NEXT_TURN)
_SAVE = sa.update(_tasks).where(_tasks.c.id == sa.bindparam("the_id"))
_OF_RUN = _select.where(_tasks.c.run_id == sa.bindparam("run_id")).order_by(_tasks.c.position)
_RENEW = (
    sa.update(_tasks)
    .where(_tasks.c.id == sa.bindparam("the_id"), _is_running)
    .where(_tasks.c.attempt == sa.bindparam("the_attempt"), _tasks.c.nonce == sa.bindparam("the_nonce"))
)
# SQLite uses a partial index only where the query repeats its condition.
_UNCLAIMED = sa.select(_tasks.c.kind, sa.func.count()).where(_is_live, _is_dispatched).group_by(_tasks.c.kind)
# Of one kind, what comes first: as `_waiting` orders, and on the bus first in, first out.
_TURN = ("turn", "created_at", "position")
_mine = _tasks.alias("mine")


def _ahead(which: sa.ColumnElement[bool], *order: str) -> sa.Select[Any]:
    """How many of *which*, of the task's kind, stand before it in that order; ``-priority`` is the highest first."""

    def place(table: sa.FromClause) -> sa.ColumnElement[Any]:
        return sa.tuple_(*(-table.c.priority if name == "-priority" else table.c[name] for name in order))

    before = [place(_tasks) < place(_mine)] if order else []
    return (
        sa.select(sa.func.count())
        .select_from(_tasks.join(_mine, _mine.c.kind == _tasks.c.kind))
        .where(_mine.c.id == sa.bindparam("the_id"), which, *before)
    )


_AHEAD_ON_THE_BUS = _ahead(sa.and_(_is_live, _is_dispatched), "dispatched_at", "position")
_ALL_ON_THE_BUS = _ahead(sa.and_(_is_live, _is_dispatched))
_AHEAD_AND_WAITING = _ahead(
    sa.and_(
        is_in(_tasks.c.state, TaskState.PENDING),
        sa.or_(_tasks.c.not_before.is_(None), _tasks.c.not_before <= sa.bindparam("now")),
    ),
    "-priority",
    *_TURN,
)
# The run is locked with the task: whoever goes on to change it then never waits for another transaction that holds the
# run and wants the task, and a run that somebody is working on is not late.
_OVERDUE = (
    _select.join(_runs, _runs.c.id == _tasks.c.run_id)
    .where(
        _is_live,
        sa.or_(
            sa.and_(_is_running, _tasks.c.lease_until < sa.bindparam("now")),
            sa.and_(_is_running, _tasks.c.deadline < sa.bindparam("now")),
            sa.and_(_is_dispatched, _tasks.c.dispatched_at < sa.bindparam("dispatched_before")),
        ),
    )
    .order_by(_tasks.c.position)
    .limit(sa.bindparam("limit"))
    .with_for_update(skip_locked=True, key_share=True, of=[_runs, _tasks])
)
_RUNNING = _select.where(_is_live).order_by(_tasks.c.position)


# Kept, since building it costs ten times what running it does; there are few sets of kinds.
@lru_cache(maxsize=256)
def _waiting(kinds: tuple[str, ...]) -> sa.Select[Any]:
    """One short walk through the index for each kind, merged: a long queue of one kind doesn't hide another."""
    queues = [
        _select.add_columns(_tasks.c.position, _tasks.c.turn)
        .where(is_in(_tasks.c.state, TaskState.PENDING), _tasks.c.kind == kind)
        .where(sa.or_(_tasks.c.not_before.is_(None), _tasks.c.not_before <= sa.bindparam("now")))
        .order_by(_tasks.c.priority.desc(), *(_tasks.c[name] for name in _TURN))
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .subquery()
        for kind in kinds
    ]
    merged = sa.union_all(*(sa.select(queue) for queue in queues)).subquery()
    return (
        sa.select(*columns(merged, TASK_FIELDS))
        .order_by(merged.c.priority.desc(), *(merged.c[name] for name in _TURN))
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def tasks_of(rows: Sequence[Row]) -> list[Task]:
    """From rows of a task's fields."""
    return [Task(**dict(zip(TASK_FIELDS, row, strict=True))) for row in rows]


class SqlTasks:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, tasks: Sequence[Task]) -> None:
        if tasks:
            rows = [values(task, TASK_FIELDS) | {"flow": flow_of(task)} | asking(task) for task in tasks]
            await self._statements.write(_ADD, rows)

    async def save(self, tasks: Sequence[Task]) -> None:
        if tasks:
            await self._statements.write(_SAVE, [values(task, TASK_FIELDS) | {"the_id": task.id} for task in tasks])

    async def of_run(self, run_id: RunId) -> Sequence[Task]:
        return tasks_of(await self._statements.read(_OF_RUN, {"run_id": run_id}))

    async def renew(self, task_id: TaskId, *, attempt: int, nonce: str, lease_until: datetime) -> bool:
        keys = {"the_id": task_id, "the_attempt": attempt, "the_nonce": nonce}
        return bool(await self._statements.write(_RENEW, keys | {"lease_until": lease_until}))

    async def waiting(self, kinds: Collection[str], *, now: datetime, limit: int) -> Sequence[Task]:
        if not kinds:
            return []
        return tasks_of(await self._statements.read(_waiting(tuple(sorted(set(kinds)))), {"now": now, "limit": limit}))

    async def unclaimed(self) -> Mapping[str, int]:
        return {kind: count for kind, count in await self._statements.read(_UNCLAIMED)}  # noqa: C416  Row

    async def ahead(self, task: Task, *, now: datetime) -> int:
        if task.state is not TaskState.PENDING:
            [[count]] = await self._statements.read(_AHEAD_ON_THE_BUS, {"the_id": task.id})
            return int(count)
        [[on_the_bus]] = await self._statements.read(_ALL_ON_THE_BUS, {"the_id": task.id})
        [[waiting]] = await self._statements.read(_AHEAD_AND_WAITING, {"the_id": task.id, "now": now})
        return int(on_the_bus) + int(waiting)

    async def overdue(self, *, now: datetime, dispatched_before: datetime, limit: int) -> Sequence[Task]:
        times = {"now": now, "dispatched_before": dispatched_before}
        return tasks_of(await self._statements.lock(_OVERDUE, times | {"limit": limit}))

    async def running(self) -> Sequence[Task]:
        return tasks_of(await self._statements.read(_RUNNING))
