"""What goes over the bus can be read by a newer and by an older service, and everything else is refused."""

import json
from datetime import UTC, datetime

import pytest

from moviola.errors import MalformedMessage
from moviola.messages import (
    ALL,
    COMMANDS,
    MESSAGES,
    CancelTasks,
    RenderVideo,
    TaskStarted,
    VideoSubmitted,
    parse_message,
)
from moviola.plan import KINDS, Edit, ReadFacts
from moviola.ports.message_bus import post
from moviola.topology import EXCHANGES, QUEUES, Address, address_of, task_queue
from moviola.video import RunId, TaskId, Tenant, VideoId

STARTED = TaskStarted(
    task_id=TaskId("t"),
    run_id=RunId("r"),
    video_id=VideoId("v"),
    tenant=Tenant("default"),
    name="render",
    attempt=1,
    worker="w",
    nonce="n",
)
RENDER = RenderVideo(
    task_id=TaskId("t"),
    run_id=RunId("r"),
    video_id=VideoId("v"),
    tenant=Tenant("default"),
    name="render",
    attempt=1,
    source={"key": "originals/default/v/original"},
    output_prefix="outputs/default/v/r/render/",
    parameters=Edit(width=2, height=2, duration=1.0),
    deadline=datetime(2026, 11, 24, tzinfo=UTC),
)


@pytest.mark.parametrize("message", [STARTED, RENDER, CancelTasks(task_ids=(TaskId("t"),))], ids=lambda m: m.type)
def test_a_message_is_read_as_it_was_written(message: TaskStarted | RenderVideo | CancelTasks) -> None:
    assert post(message).envelope.message() == message


def test_unknown_fields_are_ignored() -> None:
    body = json.loads(STARTED.model_dump_json()) | {"added_later": {"a": 1}}
    assert parse_message("task.started", json.dumps(body).encode()) == STARTED


@pytest.mark.parametrize(
    ("type_name", "body"),
    [
        ("task.exploded", b"{}"),
        ("task.started", b"{}"),
        ("task.started", b"not json"),
        ("task.started", b"\xff"),
        ("task.started", STARTED.model_dump_json().replace('"v":1', '"v":2').encode()),
        ("task.started", STARTED.model_dump_json().replace('"attempt":1', '"attempt":"one"').encode()),
    ],
)
def test_what_cannot_be_read_is_malformed(type_name: str, body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(type_name, body)


def test_a_command_refuses_the_parameters_of_another_kind() -> None:
    body = json.loads(RENDER.model_dump_json()) | {"parameters": json.loads(ReadFacts().model_dump_json())}
    with pytest.raises(MalformedMessage, match="parameters"):
        parse_message(RenderVideo.type, json.dumps(body).encode())


def test_each_type_has_one_message() -> None:
    assert len(MESSAGES) == len(ALL)


def test_each_kind_has_a_command_and_a_queue() -> None:
    assert set(COMMANDS) == set(KINDS)
    assert {task_queue(kind) for kind in KINDS} <= {queue.name for queue in QUEUES}


def test_every_message_has_an_address_on_a_declared_exchange() -> None:
    exchanges = {exchange.name for exchange in EXCHANGES}
    for message in (STARTED, RENDER, CancelTasks(task_ids=()), VideoSubmitted(object={"key": "incoming/default/a"})):
        assert address_of(message).exchange in exchanges


def test_an_envelope_carries_its_video_as_correlation_id() -> None:
    posting = post(STARTED)
    assert posting.address == Address("moviola.events", "task.started")
    assert posting.envelope.correlation_id == "v"


def test_every_binding_names_a_declared_exchange_and_every_dead_letter_exchange_exists() -> None:
    exchanges = {exchange.name for exchange in EXCHANGES}
    assert {binding.exchange for queue in QUEUES for binding in queue.bindings} <= exchanges
    assert {queue.dead_letter for queue in QUEUES if queue.dead_letter} <= exchanges
    assert {exchange.alternate for exchange in EXCHANGES if exchange.alternate} <= exchanges
