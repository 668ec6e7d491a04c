"""Anyone can see why a video is where it is, whatever stands or has died."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.client import Client, Document
from tests.acceptance.systems import Deployment
from tests.acceptance.test_command_line import moviola
from tests.media.clips import Clip, make

QUICK = {"steps": [{"step": "resize", "height": 64}, {"step": "mute"}], "output": {"preset": "ultrafast"}}


@pytest.fixture
async def producer(distributed: Deployment) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(distributed.url, http)


async def explained(client: Client, video_id: str, reason: str) -> Document:
    """The explanation, once it gives that reason."""
    async with asyncio.timeout(90):
        while True:
            explanation = await client.get(f"/v1/videos/{video_id}/explain")
            if explanation["reason"] == reason:
                return explanation
            await asyncio.sleep(0.1)


@pytest.mark.distributed
async def test_a_missing_worker_is_named_and_the_places_before_it_are_counted(
    producer: Client, distributed: Deployment, tmp_path: Path
) -> None:
    clip = make(tmp_path / "small.mp4", Clip(frames=10))
    distributed.kill("worker-render")
    try:
        first = await producer.upload(clip, recipe=QUICK)
        await explained(producer, first["id"], "worker.none_alive")
        second = await producer.upload(clip, recipe=QUICK)
        explanation = await explained(producer, second["id"], "worker.none_alive")
    finally:
        distributed.start("worker-render")

    assert "No worker for `render` is alive since" in explanation["sentence"]
    assert explanation["passes"][-1]["position"] == 2
    assert explanation["passes"][-1]["workers"] == 0
    await producer.ready(second["id"])
    assert (await producer.get(f"/v1/videos/{second['id']}/explain"))["reason"] == "run.ready"


async def test_a_failure_says_what_can_be_done_and_the_history_can_be_replayed(
    client: Client, system: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "fake.mp4").write_text("no video\n")
    video = await client.ended((await client.upload(tmp_path / "fake.mp4"))["id"])

    why = await asyncio.to_thread(moviola, system, "explain", video["id"])
    told = await asyncio.to_thread(moviola, system, "history", video["id"])
    replayed = await asyncio.to_thread(moviola, system, "replay", video["id"])
    before = await asyncio.to_thread(moviola, system, "replay", video["id"], "--at", "2020-01-01T00:00:00Z")

    assert "It failed at probe at" in why.stdout
    assert "media.unrecognized" in why.stdout
    assert "The file itself is at fault" in why.stdout
    assert "- → uploaded" in told.stdout.splitlines()[0]
    assert ": failed; all " in replayed.stdout
    assert (before.returncode, before.stdout) == (0, "Nothing had happened by then.\n")
    entries = (await client.get(f"/v1/videos/{video['id']}/history"))["data"]
    probing = next(entry for entry in entries if entry["state"] == "probing")
    past = (await client.get(f"/v1/videos/{video['id']}/history?at={probing['at']}"))["past"]
    assert (past["state"], past["status"]) == ("probing", "processing")
