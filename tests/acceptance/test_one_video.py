"""One video through the whole system, the same in both ways to run it: what a client sees, from upload to playback."""

import asyncio
import io
import json
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from tests.acceptance import media
from tests.acceptance.client import Client, Document
from tests.acceptance.systems import ObjectsOf
from tests.media.clips import Clip, Tone, make, numbers, packets

CLIP = Path(__file__).parent.parent / "media" / "bigbuckbunny.mp4"
FOUR_STEPS = {
    "version": 1,
    "steps": [
        {"step": "trim", "start": 1, "end": 3},
        {"step": "resize", "width": 640, "height": 360},
        {"step": "watermark", "text": "Ñandú €", "position": "top-left"},
        {"step": "mute"},
        {"step": "thumbnails"},
    ],
    "output": {"preset": "ultrafast"},
}


async def test_the_default_recipe_makes_a_playable_result_and_a_poster(client: Client, tmp_path: Path) -> None:
    video = await client.upload(CLIP, title="Big Buck Bunny", tags="bunny,short")
    assert video["status"] in ("queued", "processing")
    assert (video["title"], video["tags"]) == ("Big Buck Bunny", ["bunny", "short"])
    video = await client.ready(video["id"])
    assert video["progress"] == 1
    assert video["plan"]["generations"] == 1
    assert [step["state"] for step in video["steps"]] == ["succeeded"] * 5
    result = media.picture(await client.file(video, "result.mp4", tmp_path))
    assert (result["codec_name"], result["width"], result["height"]) == ("h264", 1280, 720)
    assert result["pix_fmt"] == "yuv420p"
    assert media.sounds(tmp_path / "result.mp4") == []
    original = media.picture(CLIP)
    assert result["nb_read_frames"] == original["nb_read_frames"]
    with Image.open(await client.file(video, "poster.jpg", tmp_path)) as poster:
        assert poster.format == "JPEG"
        assert poster.size == (1280, 720)


async def test_the_steps_do_what_they_say(client: Client, tmp_path: Path) -> None:
    stills = {"step": "thumbnails", "width": 320, "storyboard": {"count": 4}, "preview": {"seconds": 1, "scenes": 2}}
    video = await client.upload(CLIP, recipe=FOUR_STEPS | {"steps": [*FOUR_STEPS["steps"][:-1], stills]})
    video = await client.ready(video["id"])
    path = await client.file(video, "result.mp4", tmp_path)
    result = media.picture(path)
    assert (result["width"], result["height"]) == (640, 360)
    assert result["nb_read_frames"] == "50"  # two seconds at 25 a second
    assert float(media.probe(path)["format"]["duration"]) == pytest.approx(2.0, abs=0.001)
    assert media.sounds(path) == []
    await see_the_stills(client, video, tmp_path)


async def see_the_stills(client: Client, video: Document, folder: Path) -> None:
    """Each product came of a pass of its own, is served as what it is, and is what another program reads in it."""
    passes = [(one["name"], one["files"]) for one in video["plan"]["passes"][1:-1]]
    assert passes == [
        ("thumbnails", ["poster.jpg"]),
        ("thumbnails-storyboard", ["storyboard.vtt", "storyboard.jpg"]),
        ("thumbnails-preview", ["preview.webp"]),
    ]
    for name, kind in (
        ("storyboard.vtt", "text/vtt"),
        ("storyboard.jpg", "image/jpeg"),
        ("preview.webp", "image/webp"),
    ):
        (entry,) = [one for one in video["files"] if one["name"] == name]
        assert entry["content_type"] == kind
        async with client.http.head(f"{client.url}{entry['url']}") as answer:
            assert answer.content_type == kind
        await client.file(video, name, folder)
    with Image.open(await client.file(video, "poster.jpg", folder)) as poster:
        assert poster.size == (320, 180)
    assert media.cues(folder / "storyboard.vtt") == [
        (number * 0.5, f"storyboard.jpg#xywh={number * 160},0,160,90") for number in range(4)
    ]
    assert media.picture(folder / "storyboard.jpg")["width"] == 640
    with Image.open(folder / "preview.webp") as preview:
        assert (preview.format, preview.n_frames, preview.info["loop"]) == ("WEBP", 10, 0)


async def test_the_sound_is_kept_where_nobody_mutes_it(client: Client, tmp_path: Path) -> None:
    recipe = {"steps": [{"step": "trim", "start": 2.02, "end": 4.5}], "output": {"preset": "ultrafast"}}
    video = await client.ready((await client.upload(CLIP, recipe=recipe))["id"])
    path = await client.file(video, "result.mp4", tmp_path)
    (sound,) = media.sounds(path)
    assert sound["codec_name"] == "aac"
    assert sound["channels"] == 6
    assert float(sound["duration"]) == pytest.approx(2.48, abs=0.03)
    assert media.picture(path)["nb_read_frames"] == "62"


async def test_muting_alone_copies_the_picture(client: Client, tmp_path: Path) -> None:
    video = await client.ready((await client.upload(CLIP, recipe={"steps": [{"step": "mute"}]}))["id"])
    assert video["plan"]["generations"] == 0
    path = await client.file(video, "result.mp4", tmp_path)
    assert media.sounds(path) == []
    assert media.picture(path)["bit_rate"] == media.picture(CLIP)["bit_rate"]


async def test_a_trim_alone_encodes_only_its_borders(client: Client, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=150, gop=25, tone=Tone()))
    video = await client.ready((await client.upload(source, recipe={"steps": [{"step": "trim", "start": 0.9}]}))["id"])
    one, verify = video["plan"]["passes"]
    assert (video["plan"]["generations"], video["plan"]["partial"]) == (1, True)
    assert one["encoded_seconds"] == pytest.approx(0.1)
    assert verify["kind"] == "verify"
    assert [check for check in video["quality"]["checks"] if check["level"] == "error" and not check["ok"]] == []
    path = await client.file(video, "result.mp4", tmp_path)
    assert numbers(path) == list(range(23, 150))
    assert [data for _, _, data in packets(path, "video")][-125:] == [data for _, _, data in packets(source, "video")][
        -125:
    ]


async def test_an_image_is_laid_over_the_picture_where_it_was_asked_for(client: Client, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (64, 64), "white").save(logo)
    mark = {"step": "watermark", "image": "watermark", "position": "top-left", "margin": 0, "opacity": 1, "scale": 0.1}
    recipe = {"steps": [{"step": "trim", "end": 1}, mark], "output": {"preset": "ultrafast"}}
    video = await client.ready((await client.upload(CLIP, recipe=recipe, parts={"watermark": logo}))["id"])
    path = await client.file(video, "result.mp4", tmp_path)
    assert media.luma(path, 0.5, crop="100:100:10:10") > 225
    assert media.luma(path, 0.5, crop="100:100:1100:600") < 225


async def test_no_recipe_means_stored_and_probed(client: Client) -> None:
    video = await client.ready((await client.upload(CLIP, recipe="null"))["id"])
    facts = video["original"]["probe"]
    assert (facts["video"]["width"], facts["video"]["height"]) == (1280, 720)
    assert facts["audio"][0]["channels"] == 6
    assert video["original"]["size"] == CLIP.stat().st_size
    assert await client.bytes_of(f"/v1/videos/{video['id']}/files/original") == CLIP.read_bytes()


async def test_every_step_is_told_on_the_event_stream(client: Client) -> None:
    video = await client.upload(CLIP, recipe=FOUR_STEPS)
    events = [event async for event in client.events(video["id"])]
    names = [name for name, _ in events]
    assert names[0] == "video"
    assert names[-1] == "ready"
    progress = [data["progress"] for name, data in events if name == "progress"]
    assert progress == sorted(progress)
    assert all(0 <= value <= 1 for value in progress)


async def test_the_history_tells_every_transition_with_its_cause(client: Client) -> None:
    video = await client.ready((await client.upload(CLIP, recipe=FOUR_STEPS))["id"])
    entries = (await client.get(f"/v1/videos/{video['id']}/history"))["data"]
    states = [entry["state"] for entry in entries if entry["subject"] == "run"]
    assert states[0] == "uploaded"
    assert states[-1] == "ready"
    assert all(entry["cause"] for entry in entries)


@pytest.mark.parametrize(
    ("asked", "status", "length", "first"),
    [
        ("bytes=0-9", 206, 10, 0),
        ("bytes=100-", 206, None, 100),
        ("bytes=-500", 206, 500, -500),
        ("bytes=5-4", 200, None, 0),
        ("bytes=99999999-", 416, None, None),
    ],
)
async def test_a_player_gets_the_range_it_asks_for(
    client: Client, stored: str, asked: str, status: int, length: int | None, first: int | None
) -> None:
    whole = CLIP.read_bytes()
    async with client.http.get(f"{client.url}/v1/videos/{stored}/files/original", headers={"Range": asked}) as answer:
        body = await answer.read()
    assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"
        return
    assert answer.headers["Accept-Ranges"] == "bytes"
    expected = whole[first:] if length is None else whole[first:][:length]
    assert body == expected


async def test_a_file_has_a_strong_etag_and_needs_no_second_download(client: Client, stored: str) -> None:
    address = f"{client.url}/v1/videos/{stored}/files/original"
    async with client.http.head(address) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Content-Length"] == str(CLIP.stat().st_size)
    assert etag.startswith('"')
    async with client.http.get(address, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""


async def test_what_is_no_video_fails_with_a_reason(client: Client, tmp_path: Path) -> None:
    fake = tmp_path / "holiday.mp4"
    fake.write_text("This is not a video.\n" * 100)
    video = await client.ended((await client.upload(fake))["id"])
    assert video["status"] == "failed"
    assert video["failure"]["code"] == "media.unrecognized"
    assert video["failure"]["step"] == "probe"
    assert video["failure"]["message"]


async def test_a_trim_beyond_the_end_fails_with_a_reason(client: Client) -> None:
    recipe = {"steps": [{"step": "trim", "start": 600}]}
    video = await client.ended((await client.upload(CLIP, recipe=recipe))["id"])
    assert video["status"] == "failed"
    assert video["failure"]["code"] == "recipe.start_beyond_end"


async def test_a_bad_recipe_is_answered_with_pointers_and_leaves_nothing(client: Client) -> None:
    before = [video["id"] for video in (await client.get("/v1/videos"))["data"]]
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(CLIP.read_bytes()), filename="a.mp4")
    form.add_field("recipe", json.dumps({"steps": [{"step": "trim", "start": "five"}]}))
    async with client.http.post(f"{client.url}/v1/videos", data=form) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert answer.status == 422
    assert problem["code"] == "recipe.invalid"
    assert problem["errors"][0]["pointer"] == "/recipe/steps/0/start"
    assert [video["id"] for video in (await client.get("/v1/videos"))["data"]] == before


async def test_an_idempotency_key_makes_one_video_of_two_requests(client: Client) -> None:
    async def once() -> str:
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(CLIP.read_bytes()), filename="a.mp4")
        form.add_field("recipe", "null")
        headers = {"Idempotency-Key": "acceptance-1"}
        async with client.http.post(f"{client.url}/v1/videos", data=form, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["id"])

    assert await once() == await once()


async def test_videos_are_listed_newest_first_in_pages(client: Client) -> None:
    made = [(await client.upload(CLIP, recipe="null", tags="paged"))["id"] for _ in range(3)]
    first = await client.get("/v1/videos?tag=paged&limit=2")
    rest = await client.get(f"/v1/videos?tag=paged&limit=2&cursor={first['next_cursor']}")
    assert [video["id"] for video in first["data"] + rest["data"]] == made[::-1]
    assert rest["next_cursor"] is None


async def test_a_deleted_video_is_gone_and_its_objects_too(client: Client, stored_objects: ObjectsOf) -> None:
    video = await client.ready((await client.upload(CLIP, recipe=FOUR_STEPS))["id"])
    assert await stored_objects(video["id"])
    async with client.http.delete(f"{client.url}/v1/videos/{video['id']}") as answer:
        assert answer.status == 204
    async with client.http.get(f"{client.url}/v1/videos/{video['id']}") as answer:
        assert answer.status == 404
    async with asyncio.timeout(20):
        while await stored_objects(video["id"]):
            await asyncio.sleep(0.1)


async def test_a_running_video_can_be_canceled(client: Client) -> None:
    slow = {"steps": [{"step": "resize", "width": 3840, "height": 2160, "upscale": True}], "output": {"preset": "slow"}}
    video = await client.upload(CLIP, recipe=slow)
    async for name, _ in client.events(video["id"]):
        if name == "progress":
            break
    async with client.http.post(f"{client.url}/v1/videos/{video['id']}/cancel") as answer:
        assert answer.status == 202
    assert (await client.ended(video["id"], within=20))["status"] == "canceled"


async def test_the_page_is_served(client: Client) -> None:
    page = (await client.bytes_of("/")).decode()
    assert "<title>Moviola" in page
