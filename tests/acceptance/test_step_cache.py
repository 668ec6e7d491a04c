"""The same bytes again: only what differs is done again, and what videos share lives as long as one of them does."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance import media, systems
from tests.acceptance.client import Client, Document
from tests.acceptance.systems import Deployment
from tests.media.clips import Clip, make, numbers

PASSES = ("probe", "trim", "resize", "watermark", "thumbnails", "verify")


def recipe(text: str) -> Document:
    steps: list[Document] = [
        {"step": "trim", "start": 0.2, "end": 1.4},
        {"step": "resize", "width": 128, "height": 72},
        {"step": "watermark", "text": text},
        {"step": "thumbnails"},
    ]
    return {"steps": steps, "output": {"preset": "ultrafast"}}


@pytest.fixture
async def client(unfused: Deployment) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(unfused.url, http)


async def made_by(client: Client, video: Document) -> dict[str, str]:
    """How each pass of a video came to its result: by a worker, or from the cache."""
    entries = (await client.get(f"/v1/videos/{video['id']}/history"))["data"]
    return {entry["subject"]: entry["event"] for entry in entries if entry["state"] == "succeeded"}


def tasks_run(system: Deployment, video: Document) -> list[str]:
    """The kinds of all tasks of a video that some worker has begun, by the workers' own logs."""
    kinds = []
    for log in system.folder.glob("*.log"):
        for line in log.read_text().splitlines():
            entry: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if entry.get("event") == "task started" and entry.get("video") == video["id"]:
                kinds.append(entry["kind"])
    return kinds


async def plays(client: Client, video: Document, folder: Path) -> None:
    path = await client.file(video, "result.mp4", folder)
    assert (media.picture(path)["width"], numbers(path)) == (128, list(range(5, 35)))
    assert (await client.file(video, "poster.jpg", folder)).read_bytes()[:2] == b"\xff\xd8"


async def delete(client: Client, video: Document) -> None:
    async with client.http.delete(f"{client.url}/v1/videos/{video['id']}") as answer:
        assert answer.status == 204


async def test_the_same_bytes_again_redo_only_what_differs_and_share_what_does_not(
    unfused: Deployment, client: Client, tmp_path: Path
) -> None:
    objects = systems.objects_of(unfused)
    clip = make(tmp_path / "clip.mp4", Clip(frames=53))  # no other test has such a one
    first = await client.ready((await client.upload(clip, recipe=recipe("A"), unseen=False))["id"])
    assert set((await made_by(client, first)).values()) == {"task.succeeded"}
    await plays(client, first, tmp_path)

    again = await client.ready((await client.upload(clip, recipe=recipe("A"), unseen=False))["id"])
    assert await made_by(client, again) == dict.fromkeys(PASSES, "task.cached")
    assert [(step["cached"], step["attempts"], step["state"]) for step in again["steps"]] == [
        (True, 0, "succeeded")
    ] * 4
    assert [file["sha256"] for file in again["files"]] == [file["sha256"] for file in first["files"]]

    async with client.http.post(f"{client.url}/v1/videos/{again['id']}/plan", json={"recipe": recipe("B")}) as answer:
        passes = (await answer.json())["plan"]["passes"]
    assert [(one["name"], one["cached"]) for one in passes] == [
        ("trim", True), ("resize", True), ("watermark", False), ("thumbnails", False), ("verify", False),
    ]  # fmt: skip
    other = await client.ready((await client.upload(clip, recipe=recipe("B"), unseen=False))["id"])
    assert [step["cached"] for step in other["steps"]] == [True, True, False, False]
    # Sets: on a machine that stalls, a lease may expire, and a task be tried again.
    assert [set(tasks_run(unfused, video)) for video in (first, again, other)] == [
        set(PASSES), set(), {"thumbnails", "watermark", "verify"},
    ]  # fmt: skip

    await delete(client, first)
    async with asyncio.timeout(60):
        while any("originals/" in key for key in await objects(first["id"])):
            await asyncio.sleep(0.1)
    for video in (again, other):
        await plays(client, video, tmp_path)
    await delete(client, again)
    await delete(client, other)
    async with asyncio.timeout(60):
        while [key for video in (first, again, other) for key in await objects(video["id"])]:
            await asyncio.sleep(0.1)
