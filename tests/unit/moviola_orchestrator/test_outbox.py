"""The relay: what was committed gets on the bus, at least once, whatever is away meanwhile."""

import asyncio

import pytest

from moviola.messages import VideoUploaded
from moviola.ports.message_bus import post
from moviola.topology import EVENTS, ORCHESTRATOR
from moviola_orchestrator.bells import Bell
from moviola_orchestrator.outbox import Relay
from tests.unit.moviola_orchestrator.stage import Stage


async def test_what_was_committed_is_published_in_order_and_forgotten(stage: Stage) -> None:
    videos = [await stage.upload() for _ in range(3)]
    assert await stage.relay.relay() == 3
    assert [one.envelope.correlation_id for one in stage.bus.published] == [video.id for video in videos]
    assert await stage.unsent() == 0
    assert await stage.relay.relay() == 0


async def test_the_message_has_the_id_of_its_row(stage: Stage) -> None:
    posting = post(VideoUploaded(video_id="v", tenant="default"))
    async with stage.store.transaction() as transaction:
        await transaction.outbox.add([posting])
    await stage.relay.relay()
    delivery = await stage.bus.take([ORCHESTRATOR])
    assert delivery.envelope.id == posting.envelope.id


async def test_an_unconfirmed_batch_is_published_again_under_the_same_ids(stage: Stage) -> None:
    await stage.upload()
    stage.bus.loses_answers = 1
    relaying = asyncio.create_task(stage.relay.run(stage.stopping))
    async with stage.bus.listen(EVENTS, ["video.uploaded"]) as copies:
        first, second = await anext(copies), await anext(copies)
    assert first.id == second.id
    stage.stopping.set()
    stage.bells.outbox.ring()
    await relaying
    assert await stage.unsent() == 0


async def test_a_bus_that_is_away_is_waited_for_without_holding_the_database(stage: Stage) -> None:
    stage.bus.away = True
    relaying = asyncio.create_task(stage.relay.run(stage.stopping))
    await stage.upload()
    await stage.upload()  # the claim would hold SQLite's only writer
    assert await stage.unsent() == 2
    async with stage.bus.listen(EVENTS, ["video.uploaded"]) as copies:
        stage.bus.away = False
        await anext(copies)
        await anext(copies)
    stage.stopping.set()
    stage.bells.outbox.ring()
    await relaying
    assert await stage.unsent() == 0


async def test_a_commit_elsewhere_wakes_the_relay(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moviola_orchestrator.outbox.LOOK_AGAIN_SECONDS", 600.0)
    async with stage.bus.listen(EVENTS, ["video.uploaded"]) as copies:
        relaying = asyncio.create_task(Relay(stage.bus, stage.store, Bell()).run(stage.stopping))
        await stage.upload()
        await asyncio.wait_for(anext(copies), timeout=60)  # well before it looks again by itself
        await stage.upload()
        await asyncio.wait_for(anext(copies), timeout=60)
        relaying.cancel()
        await asyncio.wait([relaying])  # it may hold a connection, which must be back before the store is closed


async def test_two_relays_publish_everything_and_mark_it_sent(stage: Stage) -> None:
    videos = {(await stage.upload()).id for _ in range(20)}
    await asyncio.gather(stage.relay.relay(), Relay(stage.bus, stage.store, Bell()).relay())
    assert {one.envelope.correlation_id for one in stage.bus.published} == videos
    assert len(stage.bus.published) == 20
    assert await stage.unsent() == 0
