"""What only a real broker can do to us: be away, hang, die, come back, and lose a queue."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, TypeVar

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from moviola.adapters.message_bus import rabbitmq_watchdog
from moviola.adapters.message_bus.rabbitmq import open_rabbitmq
from moviola.errors import BusUnavailable
from moviola.ports.message_bus import Envelope, MessageBus, Posting
from moviola.topology import DEAD, EVENTS, INGEST, TASKS, Address, task_queue
from tests.servers import Server
from tests.servers.relay import relay_to

pytestmark = pytest.mark.distributed

T = TypeVar("T")
TRIM, MUTE = task_queue("trim"), task_queue("mute")
SOON = 120.0
SETTLED_SECONDS = 10.0
PATIENCE = 0.5


@pytest.fixture
async def bus(rabbitmq_url: str) -> AsyncIterator[MessageBus]:
    async with open_rabbitmq(rabbitmq_url, patience=PATIENCE) as opened:
        await connected(opened)
        yield opened


async def soon(awaited: Awaitable[T]) -> T:
    async with asyncio.timeout(SOON):
        return await awaited


async def connected(bus: MessageBus) -> None:
    async with asyncio.timeout(SOON):
        while bus.connected_since() is None:
            await asyncio.sleep(0.02)


async def disconnected(bus: MessageBus) -> None:
    async with asyncio.timeout(SOON):
        while bus.connected_since() is not None:
            await asyncio.sleep(0.02)


def command(kind: str, name: str) -> Posting:
    return Posting(Address(TASKS, kind), Envelope(id=name, type="test", body=b"{}"))


async def refused_within(seconds: float, awaited: Awaitable[object]) -> None:
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        await awaited
    assert time.monotonic() - began < seconds


async def test_everything_goes_on_when_a_killed_broker_comes_back(bus: MessageBus, rabbitmq_server: Server) -> None:
    async with (
        bus.consume(TRIM, prefetch=1) as deliveries,
        bus.listen(EVENTS, ["#"]) as copies,
        asyncio.TaskGroup() as group,
    ):
        await bus.publish([command("trim", "held")])
        held = await soon(anext(deliveries))
        taken_before = group.create_task(soon(bus.take([MUTE])))
        taken_in_turns = group.create_task(soon(bus.take([task_queue("probe"), task_queue("resize")])))
        before = bus.connected_since()

        # RabbitMQ 3.10.8 never finds a quorum queue again that was declared a moment before it was killed; on a busy
        # machine a moment is long.
        await asyncio.sleep(SETTLED_SECONDS)
        await asyncio.to_thread(rabbitmq_server.kill)
        await disconnected(bus)
        await refused_within(PATIENCE + 1, bus.publish([command("trim", "lost")]))
        await refused_within(PATIENCE + 1, bus.depth(TRIM))
        await refused_within(PATIENCE + 1, bus.check())
        await held.ack()  # too late, and no error
        await asyncio.to_thread(rabbitmq_server.start)
        await connected(bus)
        assert before is not None
        assert bus.connected_since() > before  # type: ignore[operator]  # it is connected

        # What was confirmed outlived the broker; what was undecided is delivered again.
        again = await soon(anext(deliveries))
        assert again.envelope.id == "held"
        assert again.redelivered
        await again.ack()
        await bus.publish([command(kind, f"new {kind}") for kind in ("trim", "mute", "resize")])
        assert (await soon(anext(deliveries))).envelope.id == "new trim"
        assert (await taken_before).envelope.id == "new mute"
        assert (await taken_in_turns).envelope.id == "new resize"
        await hears_again(bus, copies)


async def hears_again(bus: MessageBus, copies: AsyncIterator[Envelope]) -> None:
    """A listener comes back by itself; what is published before that may be lost, so publish until it is heard."""

    async def publish_on() -> None:
        while True:
            await bus.publish([Posting(Address(EVENTS, "video.ready"), Envelope(id="news", type="t", body=b""))])
            await asyncio.sleep(0.1)

    publishing = asyncio.create_task(publish_on())
    assert (await soon(anext(copies))).id == "news"
    publishing.cancel()
    await asyncio.wait([publishing])


async def test_opening_waits_for_no_broker_and_connects_when_there_is_one(rabbitmq_url: str) -> None:
    async with relay_to(rabbitmq_url) as way, open_rabbitmq(way.url, patience=PATIENCE) as bus:
        assert bus.connected_since() is None
        await refused_within(PATIENCE + 1, bus.check())
        await refused_within(PATIENCE + 1, bus.publish([command("trim", "too early")]))
        async with bus.listen(EVENTS, ["video.*"]) as copies, bus.consume(TRIM, prefetch=1) as deliveries:
            await way.open()
            await connected(bus)
            await bus.check()
            await bus.publish([command("trim", "first")])
            assert (await soon(anext(deliveries))).envelope.id == "first"
            await hears_again(bus, copies)


async def test_a_lost_connection_is_mended_behind_a_consumer(rabbitmq_url: str) -> None:
    async with relay_to(rabbitmq_url) as way:
        await way.open()
        async with open_rabbitmq(way.url) as bus, bus.consume(TRIM, prefetch=2) as deliveries:
            await connected(bus)
            await bus.publish([command("trim", "held")])
            held = await soon(anext(deliveries))
            await way.cut()
            await disconnected(bus)
            for decide in (held.ack, held.reject, held.release):
                await decide()  # too late, and no error
            await way.open()
            again = await soon(anext(deliveries))
            assert again.envelope.id == "held"
            assert again.redelivered


async def test_a_lost_connection_is_mended_behind_a_take(rabbitmq_url: str) -> None:
    async with relay_to(rabbitmq_url) as way:
        await way.open()
        async with open_rabbitmq(way.url) as bus, asyncio.TaskGroup() as group:
            taking = group.create_task(soon(bus.take([TRIM])))
            in_turns = group.create_task(soon(bus.take([MUTE, task_queue("probe")])))
            await connected(bus)
            await way.cut()
            await disconnected(bus)
            await way.open()
            await connected(bus)
            await bus.publish([command("trim", "one"), command("mute", "other")])
            assert (await taking).envelope.id == "one"
            assert (await in_turns).envelope.id == "other"


async def test_a_publish_that_the_connection_is_lost_under_is_not_taken_for_done(
    rabbitmq_url: str, rabbitmq_server: Server
) -> None:
    async with relay_to(rabbitmq_url) as way:
        await way.open()
        async with open_rabbitmq(way.url) as bus:
            await connected(bus)
            await bus.publish([command("trim", "before")])
            rabbitmq_server.pause()  # so that no confirm comes
            publishing = asyncio.create_task(bus.publish([command("trim", str(number)) for number in range(20)]))
            await asyncio.wait([publishing], timeout=0.2)
            await way.cut()
            with pytest.raises(BusUnavailable):
                await publishing
            await asyncio.to_thread(rabbitmq_server.start)


async def test_two_services_with_one_broker_share_its_queues(bus: MessageBus, rabbitmq_url: str) -> None:
    async with open_rabbitmq(rabbitmq_url) as other:
        await connected(other)
        await other.publish([command("trim", "from the other")])
        assert (await soon(bus.take([TRIM]))).envelope.id == "from the other"


async def test_a_hung_broker_costs_a_caller_no_more_than_its_patience(bus: MessageBus, rabbitmq_server: Server) -> None:
    rabbitmq_server.pause()
    try:
        await refused_within(PATIENCE + 1, bus.publish([command("trim", "perhaps")]))
        await refused_within(PATIENCE + 3, bus.check())
    finally:
        await asyncio.to_thread(rabbitmq_server.start)
    # It may have arrived all the same: that is what the error says.
    await soon(publish_at_last(bus, command("trim", "surely")))
    names = {(await soon(bus.take([TRIM]))).envelope.id}
    if "surely" not in names:
        names.add((await soon(bus.take([TRIM]))).envelope.id)
    assert "surely" in names
    assert names <= {"perhaps", "surely"}


async def publish_at_last(bus: MessageBus, posting: Posting) -> None:
    while True:
        try:
            return await bus.publish([posting])
        except BusUnavailable:
            await asyncio.sleep(0.1)


async def test_leaving_a_bus_that_hangs_takes_a_few_seconds_at_most(rabbitmq_url: str, rabbitmq_server: Server) -> None:
    async with open_rabbitmq(rabbitmq_url, patience=PATIENCE) as bus:
        await connected(bus)
        rabbitmq_server.pause()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    await asyncio.to_thread(rabbitmq_server.start)


async def test_consumers_and_takers_come_back_when_their_queue_was_deleted(bus: MessageBus, rabbitmq_url: str) -> None:
    async with (
        bus.consume(TRIM, prefetch=1) as deliveries,
        asyncio.TaskGroup() as group,
        await aio_pika.connect(rabbitmq_url) as other,
    ):
        taking = group.create_task(soon(bus.take([MUTE])))
        in_turns = group.create_task(soon(bus.take([task_queue("probe"), task_queue("resize")])))
        channel = await other.channel()
        for kind in ("trim", "mute", "probe", "resize"):
            await channel.queue_delete(task_queue(kind))
        await publish_until_done(bus, [soon(anext(deliveries)), taking, in_turns])


async def publish_until_done(bus: MessageBus, waiting: list[Awaitable[object]]) -> None:
    all_done = asyncio.gather(*waiting)
    while not all_done.done():
        await bus.publish([command(kind, kind) for kind in ("trim", "mute", "resize")])
        await asyncio.wait([all_done], timeout=0.2)
    await all_done


async def test_publishing_goes_on_when_an_exchange_was_deleted(bus: MessageBus, rabbitmq_url: str) -> None:
    async with await aio_pika.connect(rabbitmq_url) as other:
        await (await other.channel()).exchange_delete(TASKS)
    with pytest.raises(BusUnavailable):
        await bus.publish([command("trim", "too early")])
    await bus.publish([command("trim", "again")])
    assert (await soon(bus.take([TRIM]))).envelope.id == "again"


async def test_queues_are_quorum_queues_that_keep_their_dead_letters(bus: MessageBus, rabbitmq_url: str) -> None:
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    async with await aio_pika.connect(rabbitmq_url) as other:
        # The broker takes a second declaration only if it is the same, so this one says what the first was.
        await (await other.channel()).declare_queue(TRIM, durable=True, arguments=arguments)
        with pytest.raises(ChannelPreconditionFailed):
            await (await other.channel()).declare_queue(TRIM, durable=True)


async def test_the_broker_vouches_for_the_user_of_a_submission(bus: MessageBus, rabbitmq_url: str) -> None:
    async with await aio_pika.connect(rabbitmq_url) as producer:
        exchange = await (await producer.channel()).get_exchange(INGEST)
        user = producer.url.user
        await exchange.publish(aio_pika.Message(b"{}", type="t", message_id="m", user_id=user), "video.submitted")
        delivery = await soon(bus.take([INGEST]))
    assert delivery.envelope.user_id == user
    with pytest.raises(ValueError, match="in the name of"):
        await bus.publish(
            [Posting(Address(INGEST, "video.submitted"), Envelope(id="m", type="t", body=b"", user_id="somebody"))]
        )


async def vanish(channels: list[AbstractChannel]) -> None:
    """Every consumer is cancelled behind the adapter's back: the broker forgets it, and no callback tells."""
    for channel in channels:
        if not channel.is_closed:
            underlay = await channel.get_underlay_channel()
            for tag in list(underlay.consumers):
                await underlay.basic_cancel(tag)
    channels.clear()


async def consuming(channels: list[AbstractChannel]) -> bool:
    """Whether there is a consumer on any of them."""
    return any([(await one.get_underlay_channel()).consumers for one in channels if not one.is_closed])


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> list[AbstractChannel]:
    """All channels that are opened from now on; the watchdog looks often."""
    monkeypatch.setattr(rabbitmq_watchdog, "WATCH_SECONDS", 0.3)
    opened: list[AbstractChannel] = []
    plain = aio_pika.Connection.channel

    def channel(self: aio_pika.Connection, *arguments: Any, **named: Any) -> AbstractChannel:
        opened.append(plain(self, *arguments, **named))
        return opened[-1]

    monkeypatch.setattr(aio_pika.Connection, "channel", channel)
    return opened


async def test_consumers_listeners_and_takers_that_vanish_without_a_word_are_set_up_again(
    channels: list[AbstractChannel], bus: MessageBus
) -> None:
    async with (
        bus.consume(TRIM, prefetch=1) as deliveries,
        bus.listen(EVENTS, ["#"]) as copies,
        asyncio.TaskGroup() as group,
    ):
        taking = group.create_task(soon(bus.take([MUTE])))
        await bus.publish([command("trim", "before")])
        await (await soon(anext(deliveries))).ack()
        await vanish(channels)

        await bus.publish([command("trim", "after"), command("mute", "taken")])
        assert (await soon(anext(deliveries))).envelope.id == "after"
        assert (await taking).envelope.id == "taken"
        async with asyncio.timeout(SOON):
            while True:
                await bus.publish([Posting(Address(EVENTS, "x"), Envelope(id="heard", type="test", body=b"{}"))])
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        assert (await anext(copies)).id == "heard"
                        break


async def test_a_consumer_that_is_not_served_though_another_one_is_there_is_set_up_again(
    channels: list[AbstractChannel], bus: MessageBus, rabbitmq_url: str
) -> None:
    async with open_rabbitmq(rabbitmq_url) as other, other.consume(TRIM, prefetch=1) as others:
        await connected(other)
        await bus.publish([command("trim", "held")])
        assert (await soon(anext(others))).envelope.id == "held"  # it takes no second one
        channels.clear()
        async with bus.consume(TRIM, prefetch=1) as deliveries:
            async with asyncio.timeout(SOON):
                while not await consuming(channels):
                    await asyncio.sleep(0.02)
            await vanish(channels)
            await bus.publish([command("trim", "ready")])
            assert (await soon(anext(deliveries))).envelope.id == "ready"


async def test_a_consumer_that_holds_all_that_it_may_is_left_alone(
    channels: list[AbstractChannel], bus: MessageBus
) -> None:
    async with bus.consume(TRIM, prefetch=1) as deliveries:
        await bus.publish([command("trim", "held"), command("trim", "waits")])
        held = await soon(anext(deliveries))
        opened = len(channels)
        await asyncio.sleep(1.5)  # several looks of the watchdog's
        assert [one for one in channels[opened:] if not one.is_closed] == []
        await held.ack()
        assert not (await soon(anext(deliveries))).redelivered
