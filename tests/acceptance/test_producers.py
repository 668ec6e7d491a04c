"""A producer on RabbitMQ that has put its file into the bucket gets the same result as a client over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustChannel

from moviola.video import new_id
from tests.acceptance import media, systems
from tests.acceptance.client import Client
from tests.acceptance.systems import Deployment
from tests.acceptance.test_one_video import CLIP

pytestmark = pytest.mark.distributed
RECIPE = {"steps": [{"step": "resize", "height": 180}], "output": {"preset": "ultrafast"}}


@pytest.fixture
async def channel(distributed: Deployment) -> AsyncIterator[AbstractRobustChannel]:
    connection = await aio_pika.connect_robust(distributed.environment["MOVIOLA_BUS_URL"])
    async with connection:
        yield await connection.channel()  # type: ignore[misc]  # a robust connection's channels are robust


@pytest.fixture
async def events(channel: AbstractRobustChannel) -> AbstractQueue:
    """A queue of the producer's own, with all that is told of videos."""
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind("moviola.events", "video.*")
    return queue


def put(system: Deployment, key: str, content: bytes) -> str:
    """Put an object into the bucket; its ETag."""
    return str(systems.bucket(system.environment).put_object(Key=key, Body=content).e_tag).strip('"')


async def announce(channel: AbstractRobustChannel, body: object, *, message_id: str) -> None:
    exchange = await channel.get_exchange("moviola.ingest")
    message = aio_pika.Message(
        json.dumps(body).encode(), type="video.submitted", message_id=message_id, content_type="application/json"
    )
    await exchange.publish(message, "video.submitted", mandatory=True)


async def told(events: AbstractQueue, *types: str) -> tuple[AbstractIncomingMessage, dict[str, Any]]:
    """The next event of one of those types."""
    async with asyncio.timeout(60), events.iterator() as messages:
        async for message in messages:
            await message.ack()
            if message.type in types:
                return message, json.loads(message.body)
    raise AssertionError("the queue of events ended")


async def test_an_announced_object_is_processed(
    distributed: Deployment, channel: AbstractRobustChannel, events: AbstractQueue, tmp_path: Path
) -> None:
    etag = put(distributed, "incoming/default/a.mp4", CLIP.read_bytes())
    body = {"v": 1, "object": {"key": "incoming/default/a.mp4", "etag": etag}, "recipe": RECIPE, "title": "By message"}
    await announce(channel, body, message_id=new_id())
    message, event = await told(events, "video.ready", "video.failed", "video.rejected")
    assert message.type == "video.ready", event
    assert message.correlation_id == event["video_id"]
    async with aiohttp.ClientSession() as http:
        client = Client(distributed.url, http)
        video = await client.get(f"/v1/videos/{event['video_id']}")
        assert video["title"] == "By message"
        result = media.picture(await client.file(video, "result.mp4", tmp_path))
        assert (result["width"], result["height"]) == (320, 180)


async def test_the_same_message_twice_makes_one_video(
    distributed: Deployment, channel: AbstractRobustChannel, events: AbstractQueue
) -> None:
    put(distributed, "incoming/default/b.mp4", CLIP.read_bytes())
    body = {"v": 1, "object": {"key": "incoming/default/b.mp4"}, "recipe": None, "tags": ["twice"]}
    message_id = new_id()
    await announce(channel, body, message_id=message_id)
    await announce(channel, body, message_id=message_id)
    await told(events, "video.ready")
    # A third one with an id of its own comes behind both, so that both have been handled when it is ready.
    await announce(channel, body, message_id=new_id())
    await told(events, "video.ready")
    async with aiohttp.ClientSession() as http:
        videos = await Client(distributed.url, http).get("/v1/videos?tag=twice")
    assert len(videos["data"]) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"v": 1, "object": {"key": "originals/default/somebody/original"}}, "object.key_not_allowed"),
        ({"v": 1, "object": {"key": "incoming/default/absent.mp4"}}, "object.not_found"),
        ({"v": 1, "object": {"key": "incoming/default/absent.mp4"}, "recipe": "nonsuch"}, "recipe.unknown"),
        ({"v": 1, "object": {}}, "message.malformed"),
        ({"v": 99, "object": {"key": "incoming/default/a.mp4"}}, "message.malformed"),
    ],
)
async def test_a_bad_announcement_is_answered_with_a_reason(
    channel: AbstractRobustChannel, events: AbstractQueue, body: object, code: str
) -> None:
    message_id = new_id()
    await announce(channel, body, message_id=message_id)
    _, event = await told(events, "video.rejected")
    assert event["submission"] == message_id
    assert event["message"]
    assert event["code"] == code
