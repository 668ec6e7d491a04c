"""The literal chain: every step a message of its own on its speciality's queue, and the same result as in one pass."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance import media
from tests.acceptance.client import Client
from tests.acceptance.systems import Deployment
from tests.acceptance.test_one_video import CLIP, FOUR_STEPS


@pytest.fixture
async def client(unfused: Deployment) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(unfused.url, http)


async def test_each_step_is_a_task_of_its_own(client: Client, tmp_path: Path) -> None:
    video = await client.ready((await client.upload(CLIP, recipe=FOUR_STEPS))["id"])
    assert video["plan"]["generations"] == 3
    assert [one["kind"] for one in video["plan"]["passes"]] == [
        "trim", "resize", "watermark", "mute", "thumbnails", "verify",
    ]  # fmt: skip
    entries = (await client.get(f"/v1/videos/{video['id']}/history"))["data"]
    states = [entry["state"] for entry in entries if entry["subject"] == "run"]
    assert states == [
        "uploaded", "probing", "trimming", "resizing", "watermarking", "muting", "thumbnailing", "verifying", "ready",
    ]  # fmt: skip
    path = await client.file(video, "result.mp4", tmp_path)
    result = media.picture(path)
    assert (result["width"], result["height"], result["nb_read_frames"]) == (640, 360, "50")
    assert media.sounds(path) == []
    assert [file["name"] for file in video["files"]] == ["result.mp4", "poster.jpg"]
