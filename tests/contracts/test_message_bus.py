"""What ``MessageBus`` promises, kept by every adapter. No test asks which one it got."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from moviola.adapters.message_bus.in_process import open_in_process
from moviola.adapters.message_bus.rabbitmq import open_rabbitmq
from moviola.messages import VideoUploaded
from moviola.ports.message_bus import Envelope, MessageBus, Posting, post
from moviola.topology import (
    CONTROL,
    DEAD,
    DELIVERY_LIMIT,
    EVENTS,
    INGEST,
    ORCHESTRATOR,
    TASKS,
    UNROUTED,
    Address,
    task_queue,
)
from moviola.video import new_id, utc_now

TRIM, MUTE, PROBE = task_queue("trim"), task_queue("mute"), task_queue("probe")
SOON = 60.0
A_WHILE = 0.2
OpenBus = Callable[[], AbstractAsyncContextManager[MessageBus]]
T = TypeVar("T")


@pytest.fixture(params=["in_process", pytest.param("rabbitmq", marks=pytest.mark.distributed)])
def open_bus(request: pytest.FixtureRequest) -> OpenBus:
    if request.param == "rabbitmq":
        url = request.getfixturevalue("rabbitmq_url")
        return lambda: open_rabbitmq(url)
    return open_in_process


@pytest.fixture
async def bus(open_bus: OpenBus) -> AsyncIterator[MessageBus]:
    async with open_bus() as opened:
        yield opened


def command(kind: str, name: str = "") -> Posting:
    return Posting(Address(TASKS, kind), envelope(name))


def event(key: str, name: str = "") -> Posting:
    return Posting(Address(EVENTS, key), envelope(name))


def envelope(name: str = "") -> Envelope:
    return Envelope(id=name or new_id(), type="test", body=b"{}")


async def soon(awaited: Awaitable[T]) -> T:
    async with asyncio.timeout(SOON):
        return await awaited


async def heard(copies: AsyncIterator[Envelope]) -> str:
    return (await soon(anext(copies))).id


async def nothing(awaited: Awaitable[object]) -> None:
    """It does not come, for a while."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(A_WHILE):
            await awaited


async def deep(bus: MessageBus, queue: str, expected: int) -> None:
    """The queue's depth becomes that; a broker counts a moment later."""
    async with asyncio.timeout(SOON):
        while await bus.depth(queue) != expected:
            await asyncio.sleep(0.01)


# What travels


async def test_an_envelope_arrives_as_it_was_published(bus: MessageBus) -> None:
    sent = Envelope(
        id=new_id(),
        type="task.trim",
        body=b'\x00\xff{"a": 1}',
        correlation_id=new_id(),
        headers={"traceparent": "00-1"},
    )
    await bus.publish([Posting(Address(TASKS, "trim"), sent)])
    assert (await soon(bus.take([TRIM]))).envelope == sent


async def test_a_posted_message_can_be_read_again(bus: MessageBus) -> None:
    message = VideoUploaded(video_id=new_id(), tenant="default")
    await bus.publish([post(message)])
    delivery = await soon(bus.take([ORCHESTRATOR]))
    assert delivery.envelope.message() == message
    assert delivery.envelope.correlation_id == message.video_id


# What becomes of a delivery


async def test_an_acknowledged_message_is_forgotten(bus: MessageBus) -> None:
    await bus.publish([command("trim")])
    async with bus.consume(TRIM, prefetch=1) as deliveries:
        await (await soon(anext(deliveries))).ack()
    await deep(bus, TRIM, 0)
    await deep(bus, DEAD, 0)
    await nothing(bus.take([TRIM]))


async def test_a_rejected_message_goes_to_the_dead_letters_and_says_where_it_died(bus: MessageBus) -> None:
    await bus.publish([command("trim", "poison")])
    await (await soon(bus.take([TRIM]))).reject()
    dead = (await soon(bus.take([DEAD]))).envelope
    assert (dead.id, dead.type, dead.body) == ("poison", "test", b"{}")
    assert dead.headers["x-first-death-queue"] == TRIM
    assert dead.headers["x-first-death-reason"] == "rejected"
    assert [dead.headers[f"x-death-{name}"] for name in ("queue", "reason", "exchange", "count")] == [
        TRIM, "rejected", TASKS, "1",
    ]  # fmt: skip
    died = datetime.fromisoformat(dead.headers["x-death-time"])
    assert abs(utc_now() - died) < timedelta(minutes=10)
    assert await bus.depth(TRIM) == 0


async def test_how_a_message_died_is_told_by_the_bus_and_not_by_its_publisher(bus: MessageBus) -> None:
    lies = {"x-death-queue": "moviola.ingest", "x-first-death-queue": "moviola.ingest", "x-death-exchange": INGEST}
    await bus.publish([Posting(Address(TASKS, "trim"), replace(envelope(), headers=lies))])
    await (await soon(bus.take([TRIM]))).reject()
    dead = (await soon(bus.take([DEAD]))).envelope
    assert (dead.headers["x-death-queue"], dead.headers["x-death-exchange"]) == (TRIM, TASKS)


async def test_a_delivery_says_where_it_was_published_and_keeps_its_key_among_the_dead(bus: MessageBus) -> None:
    await bus.publish([command("trim", "poison"), command("nobody", "strange")])
    alive = await soon(bus.take([TRIM]))
    assert alive.address == Address(TASKS, "trim")
    await alive.reject()
    assert (await soon(bus.take([DEAD]))).address == Address(DEAD, "trim")
    assert (await soon(bus.take([UNROUTED]))).address == Address(TASKS, "nobody")


async def test_a_message_rejected_where_there_are_no_dead_letters_is_gone(bus: MessageBus) -> None:
    await bus.publish([command("nobody")])
    await (await soon(bus.take([UNROUTED]))).reject()
    await deep(bus, UNROUTED, 0)
    await deep(bus, DEAD, 0)


async def test_a_released_message_is_delivered_again_and_says_so(bus: MessageBus) -> None:
    await bus.publish([command("trim", "again")])
    first = await soon(bus.take([TRIM]))
    assert not first.redelivered
    await first.release()
    second = await soon(bus.take([TRIM]))
    assert second.redelivered
    assert second.envelope.id == "again"


async def test_a_message_released_too_often_goes_to_the_dead_letters(bus: MessageBus) -> None:
    await bus.publish([command("trim", "restless")])
    async with bus.consume(TRIM, prefetch=1) as deliveries:
        for _ in range(DELIVERY_LIMIT + 1):
            await (await soon(anext(deliveries))).release()
        dead = (await soon(bus.take([DEAD]))).envelope
    assert dead.id == "restless"
    assert dead.headers["x-first-death-reason"] == "delivery_limit"


async def test_a_dead_letter_can_be_looked_at_any_number_of_times(bus: MessageBus) -> None:
    await bus.publish([command("trim", "seen")])
    await (await soon(bus.take([TRIM]))).reject()
    async with bus.consume(DEAD, prefetch=1) as deliveries:
        for _ in range(DELIVERY_LIMIT + 5):
            await (await soon(anext(deliveries))).release()
        assert (await soon(anext(deliveries))).envelope.id == "seen"


async def test_only_the_first_decision_counts(bus: MessageBus) -> None:
    await bus.publish([command("trim", "a"), command("trim", "b")])
    acknowledged = await soon(bus.take([TRIM]))
    await acknowledged.ack()
    await acknowledged.ack()
    await acknowledged.reject()
    await acknowledged.release()
    released = await soon(bus.take([TRIM]))
    await released.release()
    await released.ack()
    assert (await soon(bus.take([TRIM]))).envelope.id == released.envelope.id
    await deep(bus, TRIM, 0)
    await deep(bus, DEAD, 0)


async def test_a_decision_behind_the_end_of_the_consumer_changes_nothing(bus: MessageBus) -> None:
    await bus.publish([command("trim", "late")])
    async with bus.consume(TRIM, prefetch=1) as deliveries:
        late = await soon(anext(deliveries))
    await late.ack()
    again = await soon(bus.take([TRIM]))
    assert again.envelope.id == "late"
    assert again.redelivered


# Publishing


async def test_all_of_a_batch_arrive(bus: MessageBus) -> None:
    names = {f"message-{number}" for number in range(200)}
    await bus.publish([command("trim", name) for name in names])
    async with bus.consume(TRIM, prefetch=50) as deliveries:
        arrived = set()
        for _ in names:
            delivery = await soon(anext(deliveries))
            arrived.add(delivery.envelope.id)
            await delivery.ack()
    assert arrived == names


async def test_publishing_nothing_is_not_an_error(bus: MessageBus) -> None:
    await bus.publish([])


async def test_a_command_of_a_kind_that_no_queue_takes_is_unrouted(bus: MessageBus) -> None:
    await bus.publish([command("knit", "strange")])
    assert (await soon(bus.take([UNROUTED]))).envelope.id == "strange"


async def test_a_command_goes_to_the_queue_of_its_kind_alone(bus: MessageBus) -> None:
    await bus.publish([command("mute", "quiet")])
    assert (await soon(bus.take([MUTE]))).envelope.id == "quiet"
    assert [await bus.depth(queue) for queue in (TRIM, PROBE, UNROUTED, DEAD)] == [0, 0, 0, 0]


async def test_an_event_that_nobody_has_bound_is_dropped(bus: MessageBus) -> None:
    await bus.publish([event("video.ready"), event("video.uploaded", "heard")])
    assert (await soon(bus.take([ORCHESTRATOR]))).envelope.id == "heard"
    assert [await bus.depth(queue) for queue in (ORCHESTRATOR, UNROUTED, DEAD)] == [0, 0, 0]


async def test_a_submission_from_outside_reaches_the_ingest_queue(bus: MessageBus) -> None:
    await bus.publish([Posting(Address(INGEST, "video.submitted"), envelope("submitted"))])
    assert (await soon(bus.take([INGEST]))).envelope.id == "submitted"


async def test_unknown_exchanges_and_queues_are_refused(bus: MessageBus) -> None:
    with pytest.raises(ValueError, match="no exchange"):
        await bus.publish([Posting(Address("moviola.nowhere", "x"), envelope())])
    with pytest.raises(ValueError, match="no queue"):
        await bus.take(["moviola.nowhere"])
    with pytest.raises(ValueError, match="no queue"):
        await bus.depth("moviola.nowhere")


# Consuming


async def test_a_consumer_holds_at_most_its_prefetch_undecided(bus: MessageBus) -> None:
    await bus.publish([command("trim") for _ in range(3)])
    async with bus.consume(TRIM, prefetch=2) as deliveries:
        first = await soon(anext(deliveries))
        await soon(anext(deliveries))
        await nothing(anext(deliveries))
        await deep(bus, TRIM, 1)
        await first.ack()
        await soon(anext(deliveries))


async def test_two_consumers_share_a_queue(bus: MessageBus) -> None:
    async with bus.consume(TRIM, prefetch=1) as ours, bus.consume(TRIM, prefetch=1) as theirs:
        await bus.publish([command("trim", "one"), command("trim", "other")])
        names = {(await soon(anext(ours))).envelope.id, (await soon(anext(theirs))).envelope.id}
    assert names == {"one", "other"}


async def test_what_a_consumer_leaves_undecided_goes_back(bus: MessageBus) -> None:
    await bus.publish([command("trim") for _ in range(3)])
    async with bus.consume(TRIM, prefetch=3) as deliveries:
        await (await soon(anext(deliveries))).ack()
        await soon(anext(deliveries))
    await deep(bus, TRIM, 2)


async def test_an_error_in_the_body_leaves_the_consumer_as_it_is(bus: MessageBus) -> None:
    await bus.publish([command("trim")])

    async def fail_in_the_body() -> None:
        async with bus.consume(TRIM, prefetch=1) as deliveries:
            await soon(anext(deliveries))
            raise LookupError

    with pytest.raises(LookupError):
        await fail_in_the_body()
    await deep(bus, TRIM, 1)


async def test_a_consumer_gets_what_is_published_later(bus: MessageBus) -> None:
    async with bus.consume(TRIM, prefetch=1) as deliveries:
        await nothing(anext(deliveries))
        await bus.publish([command("trim", "later")])
        assert (await soon(anext(deliveries))).envelope.id == "later"


# Taking


@pytest.mark.parametrize("queues", [[TRIM], [MUTE, TRIM, PROBE]], ids=["one queue", "several queues"])
async def test_a_take_waits_until_something_comes(bus: MessageBus, queues: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(soon(bus.take(queues)))
        await nothing(asyncio.shield(taking))
        await bus.publish([command("trim", "comes")])
    assert taking.result().envelope.id == "comes"


@pytest.mark.parametrize("queues", [[TRIM], [MUTE, TRIM, PROBE]], ids=["one queue", "several queues"])
async def test_a_take_gets_what_somebody_else_gave_back(bus: MessageBus, queues: list[str]) -> None:
    await bus.publish([command("trim", "back")])
    held = await soon(bus.take([TRIM]))
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(soon(bus.take(queues)))
        await nothing(asyncio.shield(taking))
        await held.release()
    assert taking.result().envelope.id == "back"


async def test_a_take_from_several_queues_asks_them_in_the_order_given(bus: MessageBus) -> None:
    await bus.publish([command(kind, f"{kind}-{number}") for kind in ("trim", "mute") for number in range(3)])
    await deep(bus, TRIM, 3)
    await deep(bus, MUTE, 3)
    kinds = []
    for queues in ([TRIM, MUTE], [MUTE, TRIM], [TRIM, MUTE], [TRIM, MUTE], [TRIM, MUTE], [TRIM, MUTE]):
        delivery = await soon(bus.take(queues))
        kinds.append(delivery.envelope.id.partition("-")[0])
        await delivery.ack()
    assert kinds == ["trim", "mute", "trim", "trim", "mute", "mute"]


@pytest.mark.parametrize("queues", [[TRIM], [MUTE, TRIM, PROBE]], ids=["one queue", "several queues"])
async def test_a_take_holds_no_second_message(bus: MessageBus, queues: list[str]) -> None:
    await bus.publish([command("trim"), command("trim"), command("mute"), command("mute"), command("mute")])
    taken = await soon(bus.take(queues))
    await deep(bus, TRIM, 1 if len(queues) == 1 else 2)
    await taken.ack()
    others = [await soon(bus.take([TRIM, MUTE])) for _ in range(4)]
    assert not any(other.redelivered for other in others)


@pytest.mark.parametrize("queues", [[TRIM], [MUTE, TRIM, PROBE]], ids=["one queue", "several queues"])
async def test_canceling_a_take_loses_nothing(bus: MessageBus, queues: list[str]) -> None:
    waiting = asyncio.create_task(bus.take(queues))
    await nothing(asyncio.shield(waiting))
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await bus.publish([command("trim", "kept")])
    assert (await soon(bus.take([TRIM]))).envelope.id == "kept"


@pytest.mark.parametrize("steps", range(0, 60, 6))
async def test_canceling_a_take_in_any_moment_loses_nothing(bus: MessageBus, steps: int) -> None:
    await bus.publish([command("trim", "kept")])
    taking = asyncio.create_task(bus.take([TRIM]))
    for _ in range(steps):
        await asyncio.sleep(0.0002)
    taking.cancel()
    await asyncio.wait([taking])
    if not taking.cancelled():
        await taking.result().release()
    assert (await soon(bus.take([TRIM]))).envelope.id == "kept"


async def test_a_canceled_take_ends_whatever_it_was_about_to_hear(bus: MessageBus) -> None:
    """Also where the cancellation meets the very answer that the take waits for."""
    for number in range(60):
        taking = asyncio.create_task(bus.take([MUTE, TRIM, PROBE]))
        await asyncio.sleep(0.02 + number * 0.0004)
        taking.cancel()
        await asyncio.wait([taking], timeout=5)
        assert taking.done()


# Listening


async def test_every_listener_has_its_own_copy(bus: MessageBus) -> None:
    async with bus.listen(EVENTS, ["#"]) as ours, bus.listen(EVENTS, ["#"]) as theirs:
        await bus.publish([event("video.ready", "news")])
        assert (await heard(ours), await heard(theirs)) == ("news", "news")


async def test_a_listener_takes_nothing_away_from_the_queues(bus: MessageBus) -> None:
    async with bus.listen(EVENTS, ["#"]) as copies:
        await bus.publish([event("video.uploaded", "news")])
        assert await heard(copies) == "news"
    assert (await soon(bus.take([ORCHESTRATOR]))).envelope.id == "news"


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("task.*", ["task.started"]),
        ("task.#", ["task", "task.started", "task.progress.half"]),
        ("*.started", ["task.started"]),
        ("#.half", ["task.progress.half"]),
        ("task.*.half", ["task.progress.half"]),
        ("#", ["task", "task.started", "task.progress.half"]),
        ("task.started", ["task.started"]),
    ],
)
async def test_a_listener_gets_what_matches_its_pattern(bus: MessageBus, pattern: str, wanted: list[str]) -> None:
    keys = ["task", "task.started", "task.progress.half"]
    async with bus.listen(EVENTS, [pattern, "end"]) as copies:
        await bus.publish([event(key, key) for key in keys])
        await bus.publish([event("end", "end")])
        arrived = [await heard(copies) for _ in range(len(wanted) + 1)]
    assert arrived[-1] == "end"
    assert sorted(arrived[:-1]) == sorted(wanted)


async def test_a_listener_with_two_matching_keys_gets_one_copy(bus: MessageBus) -> None:
    async with bus.listen(EVENTS, ["video.*", "#"]) as copies:
        await bus.publish([event("video.ready", "once")])
        assert await heard(copies) == "once"
        await nothing(anext(copies))


async def test_everyone_hears_a_hint_on_the_control_exchange(bus: MessageBus) -> None:
    async with bus.listen(CONTROL, [""]) as ours, bus.listen(CONTROL, [""]) as theirs:
        await bus.publish([Posting(Address(CONTROL, ""), envelope("hint"))])
        assert (await heard(ours), await heard(theirs)) == ("hint", "hint")


async def test_a_listener_hears_nothing_of_what_was_before_it(bus: MessageBus) -> None:
    await bus.publish([event("video.ready", "before")])
    async with bus.listen(EVENTS, ["#"]) as copies:
        await bus.publish([event("video.ready", "during")])
        assert await heard(copies) == "during"


# The bus itself


async def test_depth_counts_what_waits_and_not_what_was_handed_out(bus: MessageBus) -> None:
    await bus.publish([command("trim") for _ in range(3)])
    await deep(bus, TRIM, 3)
    held = await soon(bus.take([TRIM]))
    await deep(bus, TRIM, 2)
    await held.release()
    await deep(bus, TRIM, 3)


async def test_a_bus_that_answers_says_so_and_since_when(bus: MessageBus) -> None:
    await bus.check()
    since = bus.connected_since()
    assert since is not None
    assert since <= utc_now()
