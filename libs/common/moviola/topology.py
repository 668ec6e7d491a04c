"""The exchanges and queues of the bus, and where each message goes. Neutral: adapters declare it in their own way.

moviola.ingest       direct    producers outside publish here; the API consumes the queue of the same name
moviola.events       topic     what happened; anyone may bind a queue; ``moviola.orchestrator`` has what it reacts to
moviola.tasks        direct    commands, routing key = kind, one queue a kind; what no queue takes: moviola.unrouted
moviola.unrouted     fanout    an alarm: something was published that nobody can do
moviola.control      fanout    hints to every worker
moviola.dead         fanout    dead letters
"""

from dataclasses import dataclass
from typing import Literal

from moviola.messages import CancelTasks, Event, Message, RestWorker, TaskCommand, VideoSubmitted
from moviola.plan import KINDS

INGEST = "moviola.ingest"
EVENTS = "moviola.events"
TASKS = "moviola.tasks"
UNROUTED = "moviola.unrouted"
CONTROL = "moviola.control"
DEAD = "moviola.dead"
ORCHESTRATOR = "moviola.orchestrator"

# A delivery is counted at every loss of a connection too, so this only ends what can never be handled.
DELIVERY_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message is published."""

    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: Literal["direct", "topic", "fanout"]
    alternate: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue; a message rejected, or delivered too often, goes on to ``dead_letter``."""

    name: str
    bindings: tuple[Binding, ...]
    dead_letter: str | None = DEAD


def task_queue(kind: str) -> str:
    """The name of the queue for one kind of task."""
    return f"{TASKS}.{kind}"


EXCHANGES = (
    Exchange(INGEST, "direct"),
    Exchange(EVENTS, "topic"),
    Exchange(UNROUTED, "fanout"),
    Exchange(TASKS, "direct", alternate=UNROUTED),
    Exchange(CONTROL, "fanout"),
    Exchange(DEAD, "fanout"),
)

# What the orchestrator reacts to; `task.progress` is left out, since nothing is stored of it.
_REACTIONS = (
    "video.uploaded",
    "video.cancel_requested",
    "video.retry_requested",
    "video.reprocess_requested",
    "video.delete_requested",
    "task.started",
    "task.heartbeat",
    "task.succeeded",
    "task.failed",
    "task.released",
    "task.canceled",
    "worker.alive",
)

QUEUES = (
    Queue(INGEST, (Binding(INGEST, "video.submitted"),)),
    Queue(ORCHESTRATOR, tuple(Binding(EVENTS, key) for key in _REACTIONS)),
    *(Queue(task_queue(kind), (Binding(TASKS, kind),)) for kind in KINDS),
    Queue(UNROUTED, (Binding(UNROUTED, ""),), dead_letter=None),
    Queue(DEAD, (Binding(DEAD, ""),), dead_letter=None),
)


def address_of(message: Message) -> Address:
    """Where *message* is published; ``TypeError`` for one that has no place on the bus."""
    match message:
        case Event():
            return Address(EVENTS, message.type)
        case TaskCommand():
            return Address(TASKS, message.kind)
        case CancelTasks() | RestWorker():
            return Address(CONTROL, "")
        case VideoSubmitted():
            return Address(INGEST, message.type)
        case _:
            raise TypeError(f"{type(message).__name__} has no address")
