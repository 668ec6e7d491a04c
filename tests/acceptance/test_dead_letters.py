"""Poison on RabbitMQ: it can be looked at and sent again by command, and nobody else is held up by it."""

import asyncio
import json

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractQueue, AbstractRobustChannel

from moviola.video import new_id
from tests.acceptance.systems import Deployment
from tests.acceptance.test_command_line import moviola
from tests.acceptance.test_one_video import CLIP
from tests.acceptance.test_producers import announce, channel, events, put, told

pytestmark = pytest.mark.distributed
__all__ = ["channel", "events"]


async def command(system: Deployment, *arguments: str) -> str:
    done = await asyncio.to_thread(moviola, system, "dead-letters", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def letter_of(system: Deployment, message_id: str) -> str:
    """Its id, once it is drained."""
    async with asyncio.timeout(60):
        while True:
            for line in (await command(system, "list", "--limit", "1000", "--json")).splitlines():
                if json.loads(line)["message_id"] == message_id:
                    return str(json.loads(line)["id"])


async def test_a_rejected_announcement_is_fixed_and_sent_again(
    distributed: Deployment, channel: AbstractRobustChannel, events: AbstractQueue
) -> None:
    message_id, key = new_id(), f"incoming/default/{new_id()}.mp4"
    await announce(channel, {"v": 1, "object": {"key": key}, "recipe": None}, message_id=message_id)
    assert (await told(events, "video.rejected"))[1]["submission"] == message_id

    letter_id = await letter_of(distributed, message_id)
    shown = await command(distributed, "show", letter_id)
    assert key in shown
    assert "moviola.ingest" in shown
    assert "would_be_redriven" in await command(distributed, "redrive", letter_id, "--dry-run")
    put(distributed, key, CLIP.read_bytes())
    assert "redriven" in await command(distributed, "redrive", letter_id)

    message, event = await told(events, "video.ready", "video.rejected")
    assert message.type == "video.ready", event


async def test_poison_on_every_queue_is_kept_and_holds_nobody_up(
    distributed: Deployment, channel: AbstractRobustChannel, events: AbstractQueue
) -> None:
    tasks, topic = await channel.get_exchange("moviola.tasks"), await channel.get_exchange("moviola.events")
    poison = {name: new_id() for name in ("render", "orchestrator", "nobody", "ingest")}
    garbage = {"body": b"\x00\xff poison", "type": "task.nonsense"}
    await tasks.publish(Message(message_id=poison["render"], **garbage), "render")
    await tasks.publish(Message(message_id=poison["nobody"], **garbage), "nobody")
    await topic.publish(Message(message_id=poison["orchestrator"], **garbage), "task.started")
    await announce(channel, "no object", message_id=poison["ingest"])
    key = f"incoming/default/{new_id()}.mp4"
    put(distributed, key, CLIP.read_bytes())
    await announce(channel, {"object": {"key": key}, "recipe": None}, message_id=new_id())

    assert (await told(events, "video.ready"))[0].type == "video.ready"
    letters = [await letter_of(distributed, message_id) for message_id in poison.values()]
    assert await command(distributed, "discard", *letters) == "4 discarded\n"
