"""An HLS package through the whole system: captions sent along, played over HTTP by Debian's ffmpeg, from one run."""

import asyncio
import hashlib
from pathlib import Path

import m3u8

from tests.acceptance import media
from tests.acceptance.client import Client
from tests.media.clips import Clip, Tone, make

SRT = "1\n00:00:00,500 --> 00:00:02,000\nHola, año\n"
PACKAGE = {"step": "package", "heights": [96, 48], "segment_seconds": 1.0}
CAPTIONS = {"captions": [{"language": "es", "file": "captions-es"}]}


async def test_a_package_is_made_and_played_over_http(client: Client, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=85, width=320, height=192, tone=Tone()))
    (tmp_path / "subs.srt").write_text(SRT)
    edits = [{"step": "trim", "start": 0.4}, {"step": "resize", "height": 96}]
    steps = [*edits, {**PACKAGE, **CAPTIONS}, {"step": "thumbnails"}]
    recipe = {"steps": steps, "output": {"preset": "ultrafast"}}

    video = await client.upload(source, recipe=recipe, parts={"captions-es": tmp_path / "subs.srt"})
    video = await client.ready(video["id"])

    assert [one["kind"] for one in video["plan"]["passes"]] == ["render", "thumbnails", "verify"]
    assert video["plan"]["generations_of"] == {"result.mp4": 1, "hls": 1}
    for file in video["files"]:
        body = await client.bytes_of(file["url"])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file["size"], file["sha256"])
    address = f"{client.url}/v1/videos/{video['id']}/files/hls/master.m3u8"
    found = await asyncio.to_thread(media.probe, address)
    pictures = {one["height"]: one["nb_read_frames"] for one in found["streams"] if one["codec_type"] == "video"}
    assert pictures == {96: "75", 48: "75"}
    assert {one["codec_name"] for one in found["streams"] if one["codec_type"] == "audio"} == {"aac"}

    async with client.http.get(address) as answer:
        master = m3u8.loads(await answer.text(), uri=str(answer.url))
        assert f"/runs/{video['last_run']['id']}/files/hls/" in str(answer.url)
    variant = master.playlists[1]
    async with client.http.get(variant.absolute_uri) as answer:
        segment = m3u8.loads(await answer.text(), uri=str(answer.url)).segments[1]
    length, start = map(int, segment.byterange.split("@"))
    asked = {"Range": f"bytes={start}-{start + length - 1}"}
    async with client.http.get(segment.absolute_uri, headers=asked) as answer:
        body = await answer.read()
        assert (answer.status, answer.content_type, len(body)) == (206, "video/mp4", length)
        assert "immutable" in answer.headers["Cache-Control"]
    assert body[4:8] == b"moof"
    text = (await client.bytes_of(f"/v1/videos/{video['id']}/files/hls/captions-es.vtt")).decode()
    assert "00:00:00.100 --> 00:00:01.600\nHola, año\n" in text


async def test_a_package_of_the_original_is_a_pass_of_its_own(client: Client, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))
    recipe = {"steps": [PACKAGE], "output": {"preset": "ultrafast"}}
    video = await client.ready((await client.upload(source, recipe=recipe))["id"])
    assert [one["kind"] for one in video["plan"]["passes"]] == ["package"]
    assert [step["state"] for step in video["steps"]] == ["succeeded"]
    entries = (await client.get(f"/v1/videos/{video['id']}/history"))["data"]
    assert "packaging" in [entry["state"] for entry in entries if entry["subject"] == "run"]
    assert "result.mp4" not in [file["name"] for file in video["files"]]
