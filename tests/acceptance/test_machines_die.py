"""Processes are killed without warning in the middle of the work; every accepted video ends ready all the same."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance import media, systems
from tests.acceptance.client import Client
from tests.acceptance.conftest import start
from tests.acceptance.systems import Deployment
from tests.acceptance.test_one_video import CLIP

WORK = {"steps": [{"step": "resize", "width": 1920, "height": 1080, "upscale": True}], "output": {"preset": "fast"}}
QUICK_WORK = {"steps": [{"step": "mute"}]}
ORCHESTRATORS = ("orchestrator-1", "orchestrator-2")
FRAMES = media.picture(CLIP)["nb_read_frames"]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Deployment]:
    """An embedded system of the test's own, since it does not outlive the test unharmed."""
    yield from start(systems.embedded(tmp_path))


async def rendering(client: Client) -> str:
    """Upload, and return once the encode goes on."""
    video = await client.upload(CLIP, recipe=WORK)
    async for name, data in client.events(video["id"]):
        if name == "progress" and data["progress"] > 0.2:
            break
    return str(video["id"])


async def whole(client: Client, video_id: str, folder: Path) -> None:
    """The video becomes ready, and its result has every frame."""
    video = await client.ready(video_id)
    result = media.picture(await client.file(video, "result.mp4", folder))
    assert result["nb_read_frames"] == FRAMES


async def test_everything_is_killed_and_started_again(alone: Deployment, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        client = Client(alone.url, http)
        videos = [await rendering(client), (await client.upload(CLIP, recipe=WORK))["id"]]
        alone.kill()
        alone.start()
        await asyncio.to_thread(alone.wait_ready)
        for video_id in videos:
            await whole(client, video_id, tmp_path)


@pytest.mark.distributed
async def test_a_worker_is_killed_in_the_middle_of_an_encode(distributed: Deployment, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        client = Client(distributed.url, http)
        video_id = await rendering(client)
        distributed.kill("worker-trim")
        distributed.start("worker-trim")
        await whole(client, video_id, tmp_path)
        video = await client.get(f"/v1/videos/{video_id}")
        assert [step["attempts"] for step in video["steps"]] == [2]


@pytest.mark.distributed
async def test_both_orchestrators_are_killed(distributed: Deployment, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        client = Client(distributed.url, http)
        video_id = await rendering(client)
        distributed.kill("orchestrator-1", "orchestrator-2")
        distributed.start("orchestrator-1", "orchestrator-2")
        await whole(client, video_id, tmp_path)
        video = await client.get(f"/v1/videos/{video_id}")
        assert [step["attempts"] for step in video["steps"]] == [1], "the encode that went on was started again"


@pytest.mark.distributed
@pytest.mark.parametrize("point", ["outbox.before_publish", "outbox.after_publish"])
async def test_orchestrators_die_between_commit_and_publish_or_before_they_note_it(
    distributed: Deployment, tmp_path: Path, point: str
) -> None:
    """What was committed is published by the next one, perhaps once more; done is everything once."""
    distributed.kill(*ORCHESTRATORS)
    distributed.start(*ORCHESTRATORS, MOVIOLA_CRASH_AT=point)
    async with aiohttp.ClientSession() as http:
        client = Client(distributed.url, http)
        video_id = (await client.upload(CLIP, recipe=QUICK_WORK))["id"]
        died = [await asyncio.to_thread(distributed.running[name].wait, 120) for name in ORCHESTRATORS]
        distributed.kill(*ORCHESTRATORS)
        distributed.start(*ORCHESTRATORS)
        await whole(client, video_id, tmp_path)

        assert died == [-signal.SIGKILL] * 2
        video = await client.get(f"/v1/videos/{video_id}")
        assert {step["attempts"] for step in video["steps"]} == {1}
        history = (await client.get(f"/v1/videos/{video_id}/history"))["data"]
        moves = [(entry["subject"], entry["state"]) for entry in history]
        assert sorted(moves) == sorted(set(moves))


@pytest.mark.distributed
async def test_the_api_is_killed_while_a_video_is_processed(distributed: Deployment, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        client = Client(distributed.url, http)
        video_id = await rendering(client)
        distributed.kill("api")
        distributed.start("api")
        await asyncio.to_thread(distributed.wait_ready)
        await whole(client, video_id, tmp_path)
