"""Control over what runs: cancel, retry, another recipe, delete in the middle; the same in both ways to run it."""

import asyncio
import os
from pathlib import Path

from tests.acceptance.client import Client, Document
from tests.acceptance.systems import Deployment, ObjectsOf
from tests.acceptance.test_one_video import CLIP

# Some seconds of work: long enough to be called off in the middle, short enough to be done on a busy machine.
SLOW = {"steps": [{"step": "trim", "end": 5}, {"step": "resize", "height": 540}], "output": {"preset": "medium"}}
QUICK = {"steps": [{"step": "trim", "end": 1}, {"step": "resize", "height": 90}], "output": {"preset": "ultrafast"}}
IMPOSSIBLE = {"steps": [{"step": "trim", "start": 600}]}


async def post(client: Client, path: str, body: object = None, *, status: int = 202) -> Document:
    async with client.http.post(client.url + path, json=body) as answer:
        document: Document = await answer.json(content_type=None)
        assert answer.status == status, document
        return document


async def moving(client: Client, video_id: str) -> None:
    """Return once the encode goes on."""
    async for name, data in client.events(video_id):
        if name == "progress" and data["pass_name"] != "probe" and data["pass_progress"] > 0.1:
            return


async def run_ended(client: Client, video_id: str, run_id: str) -> Document:
    """The video once that run of it has ended, whatever the video's own status."""
    async with asyncio.timeout(120):
        while True:
            video = await client.get(f"/v1/videos/{video_id}")
            if video["last_run"]["id"] == run_id and video["last_run"]["state"] in ("ready", "failed", "canceled"):
                return video
            await asyncio.sleep(0.1)


def busy_children(system: Deployment) -> list[int]:
    """The children that have a task: they work in its private directory."""
    scratch = str(system.folder)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            here, command = os.readlink(entry / "cwd"), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if here.startswith(scratch) and b"moviola_workers.child" in command:
            found.append(int(entry.name))
    return found


async def idle(system: Deployment) -> None:
    async with asyncio.timeout(60):
        while busy_children(system):
            await asyncio.sleep(0.02)


async def test_a_canceled_video_is_retried_from_where_it_stopped(client: Client, system: Deployment) -> None:
    video_id = (await client.upload(CLIP, recipe=SLOW))["id"]
    await moving(client, video_id)
    assert busy_children(system)

    await post(client, f"/v1/videos/{video_id}/cancel")
    assert (await client.ended(video_id, within=60))["status"] == "canceled"
    await idle(system)
    assert (await post(client, f"/v1/videos/{video_id}/cancel", status=409))["code"] == "video.finished"

    again = await post(client, f"/v1/videos/{video_id}/retry")
    assert (again["last_run"]["number"], again["status"]) == (2, "queued")
    assert (await client.ready(video_id, within=200))["last_run"]["number"] == 2
    entries = (await client.get(f"/v1/videos/{video_id}/history"))["data"]
    second = [entry for entry in entries if entry["run_id"] == again["last_run"]["id"]]
    assert second[0]["cause"] == "A retry of run 1 was asked for."
    assert not [one for one in second if one["subject"] == "probe" and one["state"] == "running"], "it was probed again"
    assert (await post(client, f"/v1/videos/{video_id}/retry", status=409))["code"] == "video.not_retryable"


async def test_another_recipe_takes_the_old_ones_place_once_it_is_ready(
    client: Client, system: Deployment, stored_objects: ObjectsOf
) -> None:
    first = await client.ready((await client.upload(CLIP, recipe=QUICK))["id"])
    video_id, address = first["id"], f"/v1/videos/{first['id']}/files/result.mp4"
    old = await client.bytes_of(address)

    failing = await post(client, f"/v1/videos/{video_id}/runs", {"recipe": IMPOSSIBLE})
    failed = await run_ended(client, video_id, failing["id"])
    assert (failed["status"], failed["last_run"]["failure"]["code"]) == ("ready", "recipe.start_beyond_end")
    assert await client.bytes_of(address) == old

    made = await post(client, f"/v1/videos/{video_id}/runs", {"recipe": {**QUICK, "steps": [QUICK["steps"][0]]}})
    assert (await run_ended(client, video_id, made["id"]))["last_run"]["state"] == "ready"
    assert await client.bytes_of(address) != old
    runs = (await client.get(f"/v1/videos/{video_id}/runs"))["data"]
    assert [(run["number"], run["state"], run["serving"]) for run in runs] == [
        (3, "ready", True),
        (2, "failed", False),
        (1, "ready", False),
    ]
    assert await client.bytes_of(runs[2]["files"][0]["url"]) == old

    await post(client, f"/v1/videos/{video_id}/runs", {"recipe": SLOW})
    await moving(client, video_id)
    for status in (204, 404):
        async with client.http.delete(f"{client.url}/v1/videos/{video_id}") as answer:
            assert answer.status == status
    await idle(system)
    async with asyncio.timeout(60):
        while await stored_objects(video_id):
            await asyncio.sleep(0.1)
    assert video_id not in [video["id"] for video in (await client.get("/v1/videos?limit=100"))["data"]]
