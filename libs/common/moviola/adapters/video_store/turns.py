"""Whose turn it is: self-clocked fair queueing (Golestani, INFOCOM 1994) over the rows of waiting tasks.

Tasks of one kind and priority are dispatched in the order of their ``turn``, a place on a clock that counts cost. A new
task's turn is its cost behind the last one that its flow (a tenant's API key) has waiting, or, where none waits, behind
the clock, which is the turn of what was dispatched last. So a flow with a thousand tasks has them far up the clock,
one behind the other, while another's first task comes next but for its own cost; over any time in which two flows have
something waiting, they get the same cost done but for the largest single tasks of the two. And as every dispatch moves
the clock on, a task that waits is passed by less and less, and by nothing in the end: nothing waits for ever.

A turn is given once, when the row is written, by two look-ups in an index, and nothing is kept beside the rows: tasks
that are called off before they were dispatched leave no trace on the clock. Two transactions at once may give the same
turn, which is as unfair as one task is large.
"""

from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.column_types import KEY
from moviola.adapters.video_store.schema import is_in
from moviola.video import Task, TaskState

_tasks = schema.tasks
_kind = sa.bindparam("the_kind", type_=sa.Text)
_priority = sa.bindparam("the_priority", type_=sa.Integer)
_cost = sa.bindparam("the_cost", type_=sa.Double)
_flow = sa.bindparam("the_flow", type_=KEY)


def _last(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[float]:
    """The furthest turn among the tasks of the new one's kind and priority for which *conditions* hold."""
    among = sa.select(_tasks.c.turn).where(_tasks.c.kind == _kind, _tasks.c.priority == _priority, *conditions)
    return among.order_by(_tasks.c.turn.desc()).limit(1).scalar_subquery()


_clock = sa.func.coalesce(_last(_tasks.c.dispatched_at.is_not(None)), 0.0)
_own = sa.func.coalesce(_last(is_in(_tasks.c.state, TaskState.PENDING), _tasks.c.flow == _flow), 0.0)
NEXT_TURN: sa.ColumnElement[float] = sa.case((_own > _clock, _own), else_=_clock) + _cost
"""The turn of a new task whose `asking` parameters are given."""


def flow_of(task: Task) -> str:
    """Whose share of the workers it takes."""
    return f"{task.tenant}/{task.key_id or ''}"


def asking(task: Task) -> dict[str, Any]:
    """The parameters of `NEXT_TURN` for *task*."""
    return {"the_kind": task.kind, "the_priority": task.priority, "the_cost": task.cost, "the_flow": flow_of(task)}
