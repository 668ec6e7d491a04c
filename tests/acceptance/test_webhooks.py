"""A receiver is told of a video's way, signed, in both ways to run Moviola."""

import asyncio
from typing import Any

from tests.acceptance.client import Client
from tests.acceptance.test_one_video import CLIP
from tests.unit.moviola_orchestrator.receiver import receiving


async def test_an_endpoint_is_told_of_the_end_and_the_log_says_so(client: Client) -> None:
    async with receiving() as receiver:
        wanted = {"url": receiver.url, "events": ["video.ready", "video.failed"]}
        async with client.http.post(f"{client.url}/v1/webhooks", json=wanted) as answer:
            webhook = await answer.json()
            assert answer.status == 201, webhook
        path = f"/v1/webhooks/{webhook['id']}"
        async with client.http.post(f"{client.url}{path}/ping") as answer:
            assert answer.status == 202
        assert (await receiver.next()).verified(webhook["secret"])["type"] == "webhook.ping"
        async with client.http.post(f"{client.url}{path}/rotate-secret") as answer:
            rotated = await answer.json()

        receiver.statuses = [500]
        video = await client.ready((await client.upload(CLIP, recipe="null"))["id"])

        failed, told = await receiver.next(), await receiver.next()
        payload = told.verified(rotated["secret"])
        assert payload == told.verified(webhook["secret"]) == failed.verified(webhook["secret"])
        assert (payload["type"], payload["data"]["video_id"]) == ("video.ready", video["id"])
        assert told.headers["webhook-id"] == failed.headers["webhook-id"]
        ready, ping = await logged(client, path)
        assert (ready["type"], ready["attempts"], ready["status"], ready["answer"]) == ("video.ready", 2, 200, "thanks")
        assert (ping["type"], ping["attempts"]) == ("webhook.ping", 1)
        async with client.http.delete(f"{client.url}{path}") as answer:
            assert answer.status == 204


async def logged(client: Client, path: str) -> list[Any]:
    """The deliveries, once all were delivered."""
    async with asyncio.timeout(60):
        while True:
            deliveries = (await client.get(f"{path}/deliveries"))["data"]
            if {one["state"] for one in deliveries} == {"delivered"}:
                return list(deliveries)
            await asyncio.sleep(0.1)
