"""A stored watermark through the whole system: stored, called by its id, seen for its time although a trim follows."""

import io
from pathlib import Path

import aiohttp
from PIL import Image

from tests.acceptance import media
from tests.acceptance.client import Client
from tests.acceptance.test_one_video import CLIP

CORNER = "40:40:24:24"


async def test_a_stored_watermark_is_seen_for_its_time_although_a_trim_follows(client: Client, tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 255, 255)).save(image, "WEBP", lossless=True)
    form = aiohttp.FormData({"name": "White"}, default_to_multipart=True)
    form.add_field("image", image.getvalue(), filename="white.webp")
    async with client.http.post(f"{client.url}/v1/watermarks", data=form) as answer:
        stored = await answer.json()
        assert answer.status == 201, stored
    assert await client.bytes_of(stored["url"]) == image.getvalue()
    mark = {"step": "watermark", "image": stored["id"], "x": 16, "y": 16, "opacity": 1.0, "start": 1.5, "end": 2}
    steps = [mark, {"step": "trim", "start": 1, "end": 2.4}, {"step": "mute"}]

    video = await client.upload(CLIP, recipe={"steps": steps, "output": {"preset": "ultrafast"}})
    video = await client.ready(video["id"])

    assert video["plan"]["generations"] == 1
    path = await client.file(video, "result.mp4", tmp_path)
    seen = [media.luma(path, at, crop=CORNER) > 245 for at in (0.2, 0.45, 0.55, 0.95, 1.05, 1.3)]
    assert seen == [False, False, True, True, False, False]
    async with client.http.delete(f"{client.url}/v1/watermarks/{stored['id']}") as answer:
        assert answer.status == 204
