from datetime import UTC, datetime
from typing import Any

import aiormq.abc
import pytest
from aio_pika import IncomingMessage
from pamqp import commands
from pamqp.header import ContentHeader

from moviola.adapters.message_bus.rabbitmq_envelopes import RabbitMQDelivery, from_amqp, to_amqp
from moviola.ports.message_bus import Envelope


def incoming(body: bytes = b"{}", *, redelivered: bool = False, **properties: Any) -> IncomingMessage:
    """A message as the driver hands it out."""
    deliver = commands.Basic.Deliver(
        consumer_tag="c", delivery_tag=1, redelivered=redelivered, exchange="", routing_key=""
    )
    header = ContentHeader(properties=commands.Basic.Properties(**properties), body_size=len(body))
    return IncomingMessage(
        aiormq.abc.DeliveredMessage(delivery=deliver, header=header, body=body, channel=None)  # type: ignore[arg-type]
    )


def test_messages_are_persistent_and_say_what_they_are() -> None:
    message = to_amqp(Envelope(id="m", type="task.trim", body=b"{}", correlation_id="v", headers={"traceparent": "00"}))
    assert message.delivery_mode == 2
    assert message.content_type == "application/json"
    assert (message.message_id, message.type, message.correlation_id) == ("m", "task.trim", "v")
    assert message.headers == {"traceparent": "00"}


def test_a_message_without_an_id_has_the_same_one_at_each_delivery() -> None:
    first, second, other = (from_amqp(incoming(body)).id for body in (b"one", b"one", b"other"))
    assert first == second
    assert first != other
    assert first.startswith("sha256:")


def test_a_message_without_a_type_can_not_be_read_but_can_be_handed_out() -> None:
    assert from_amqp(incoming(message_id="m")).type == ""


def test_headers_are_text_and_what_is_not_is_left_out() -> None:
    headers = {"text": "a", "bytes": b"b\xff", "number": 3, "list": ["x"], "table": {"y": 1}, "nothing": None}
    assert from_amqp(incoming(headers=headers)).headers == {"text": "a", "bytes": "b\ufffd", "number": "3"}


def test_the_newest_death_is_told_and_what_a_producer_made_up_is_not() -> None:
    newest = {"queue": "q", "reason": "rejected", "exchange": "e", "count": 2, "time": datetime(2026, 1, 2, tzinfo=UTC)}
    headers = {"x-death": [newest, {"queue": "made up"}], "x-death-queue": "lie"}
    assert from_amqp(incoming(headers=headers)).headers == {
        "x-death-queue": "q",
        "x-death-reason": "rejected",
        "x-death-exchange": "e",
        "x-death-count": "2",
        "x-death-time": "2026-01-02T00:00:00Z",
    }


@pytest.mark.parametrize("made_up", ["text", ["text"], [], {"queue": "q"}, [{"queue": ["q"]}]])
def test_a_death_that_is_none_does_no_harm(made_up: Any) -> None:
    assert "x-death-queue" not in from_amqp(incoming(headers={"x-death": made_up, "x-death-queue": "lie"})).headers


def test_a_delivery_is_redelivered_by_flag_or_by_count() -> None:
    assert not RabbitMQDelivery(incoming()).redelivered
    assert RabbitMQDelivery(incoming(redelivered=True)).redelivered
    assert RabbitMQDelivery(incoming(headers={"x-delivery-count": 1})).redelivered
    assert not RabbitMQDelivery(incoming(headers={"x-delivery-count": 0})).redelivered


def test_a_count_that_a_producer_made_up_does_no_harm() -> None:
    assert RabbitMQDelivery(incoming(headers={"x-delivery-count": "many"})).redelivered is False
