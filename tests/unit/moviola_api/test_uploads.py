"""POST /v1/videos: what comes in, and what leaves nothing behind."""

import asyncio
import hashlib
import io
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs

from moviola.errors import StoreUnavailable
from moviola.messages import VideoUploaded
from moviola.video import DEFAULT_TENANT, new_id
from moviola_api import multipart
from tests.unit.moviola_api.conftest import CLIP, Api, Document

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
MARKED = json.dumps({"steps": [{"step": "watermark", "image": "watermark"}]})


async def post(api: Api, form: aiohttp.FormData, **headers: str) -> tuple[int, Document]:
    async with api.http.post("/v1/videos", data=form, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def a_form(*parts: tuple[str, str | bytes]) -> aiohttp.FormData:
    """A part of bytes is sent as a file."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in parts:
        file = io.BytesIO(value) if isinstance(value, bytes) else None
        form.add_field(name, file or value, filename=f"{name}.mp4" if file is not None else None)
    return form


async def assert_nothing_stayed(api: Api) -> None:
    assert await api.keys() == []
    assert (await api.get("/v1/videos"))["data"] == []
    assert await api.posted() == []


async def test_a_file_becomes_a_video_and_an_event_in_one_go(api: Api) -> None:
    async with api.http.post("/v1/videos", data=a_form(("file", CLIP), ("tags", "a,b"), ("title", "T"))) as answer:
        video = await answer.json()

    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/videos/{video['id']}"
    assert (video["status"], video["state"], video["title"], video["tags"]) == ("queued", "uploaded", "T", ["a", "b"])
    assert video["original"]["size"] == len(CLIP)
    assert video["original"]["sha256"] == hashlib.sha256(CLIP).hexdigest()
    assert [step["step"] for step in video["steps"]] == ["trim", "resize", "watermark", "mute", "thumbnails"]
    assert await api.keys() == [f"originals/default/{video['id']}/original"]
    assert await api.posted() == [VideoUploaded(video_id=video["id"], tenant="default")]


async def test_a_title_is_taken_from_the_file_name(api: Api) -> None:
    video = await api.upload(filename="../My holiday.final.mov")

    assert video["title"] == "My holiday.final"
    assert video["original"]["filename"] == "My holiday.final.mov"


async def test_parts_may_come_in_any_order(api: Api) -> None:
    status, video = await post(api, a_form(("priority", "7"), ("file", CLIP), ("recipe", "null")))

    assert (status, video["recipe"], video["priority"]) == (202, None, 7)


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ((("file", b""),), 422, "upload.empty"),
        ((("title", "x"),), 422, "upload.no_file"),
        ((("file", CLIP), ("recipe", '{"steps": [{"step": "trim", "start": "5"}]}')), 422, "recipe.invalid"),
        ((("recipe", "unheard-of"), ("file", CLIP)), 422, "recipe.unknown"),
        ((("file", CLIP), ("file", CLIP)), 422, "request.invalid"),
        ((("file", CLIP), ("colour", "red")), 422, "request.invalid"),
        ((("file", CLIP), ("title", "x" * 300_000)), 413, "request.too_large"),
        ((("file", b"x" * 1_000_001),), 413, "upload.too_large"),
        ((("file", b"x" * 15_000_000),), 413, "upload.too_large"),
        ((("file", CLIP), ("watermark", PNG)), 422, "watermark.unused"),
        ((("file", CLIP), ("recipe", MARKED)), 422, "recipe.invalid"),
        ((("watermark", b"GIF89a" * 10), ("file", CLIP), ("recipe", MARKED)), 422, "watermark.not_image"),
        ((("watermark", b""), ("file", CLIP), ("recipe", MARKED)), 422, "watermark.not_image"),
        ((("file", CLIP), ("watermark", PNG + b"x" * 10_000_000), ("recipe", MARKED)), 413, "watermark.too_large"),
        ((("file", CLIP), ("recipe", MARKED.replace('"watermark"}', '"logo"}'))), 422, "recipe.unknown_image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_refused_upload_leaves_nothing(
    api: Api, parts: tuple[tuple[str, str | bytes], ...], status: int, code: str
) -> None:
    answered, problem = await post(api, a_form(*parts))

    assert (answered, problem["code"]) == (status, code)
    await assert_nothing_stayed(api)


async def test_the_size_is_counted_where_it_is_not_declared(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 100_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with api.http.post("/v1/videos", data=endless(), headers=headers) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (413, "upload.too_large")
    await assert_nothing_stayed(api)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a file',
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b\r\nContent-Disp',
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b\r\n',
        b"--b\r\n\r\nnameless\r\n--b--\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
    ],
)
async def test_a_form_that_is_cut_off_is_malformed(api: Api, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with api.http.post("/v1/videos", data=body, headers=headers) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (400, "multipart.malformed")
    await assert_nothing_stayed(api)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 71])
async def test_a_form_without_a_proper_boundary_is_malformed(api: Api, content_type: str) -> None:
    async with api.http.post("/v1/videos", data=b"x", headers={"Content-Type": content_type}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "multipart.malformed")


async def test_another_content_type_is_not_read(api: Api) -> None:
    async with api.http.post("/v1/videos", data=b"x", headers={"Content-Type": "video/mp4"}) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (415, "request.unsupported_media_type")


async def test_a_client_that_vanishes_leaves_nothing_and_no_traceback(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = asyncio.Event()
    chunks = multipart.FormPart.chunks

    async def watched(part: multipart.FormPart) -> AsyncIterator[bytes]:
        async for chunk in chunks(part):
            came.set()
            yield chunk

    monkeypatch.setattr(multipart.FormPart, "chunks", watched)
    head = (
        b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    )
    with caplog.at_level(logging.WARNING), capture_logs() as told:
        await send_and_vanish(api, head + b"x" * 300_000, after=came)
        await api.stop()

    assert caplog.records == []
    assert [entry for entry in told if entry["log_level"] in ("warning", "error")] == []
    assert await api.keys() == []


async def test_a_client_that_vanishes_after_a_refusal_leaves_no_traceback(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
        b'Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
    )
    with caplog.at_level(logging.WARNING), capture_logs() as told:
        await send_and_vanish(api, head + b"x" * 300_000, after=None)
        await api.stop()

    assert caplog.records == []
    assert [entry for entry in told if entry["log_level"] in ("warning", "error")] == []


async def send_and_vanish(api: Api, sent: bytes, *, after: asyncio.Event | None) -> None:
    """Reset the connection once *after* is set, or once an answer came."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(sent)
    await writer.drain()
    await (after.wait() if after is not None else reader.readline())
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_watermark_is_stored_and_named_in_the_recipe(api: Api) -> None:
    status, video = await post(api, a_form(("recipe", MARKED), ("file", CLIP), ("watermark", PNG)))

    image = video["recipe"]["steps"][0]["image"]
    assert status == 202
    assert await api.keys("watermarks/") == [f"watermarks/default/{image}"]
    async with api.parts.store.snapshot() as view:
        noted = await view.watermarks.get(DEFAULT_TENANT, image)
    assert noted is not None
    assert (noted.sha256, noted.size) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert (await api.get("/v1/watermarks"))["data"] == []
    await api.get(f"/v1/watermarks/{image}", status=404)

    again = await api.upload(recipe=MARKED.replace('"watermark"}', f'"{image}"}}'))
    assert again["recipe"]["steps"][0]["image"] == image


async def test_a_repeated_request_gives_the_same_video_and_stores_nothing_twice(api: Api) -> None:
    form = (("recipe", MARKED), ("file", CLIP), ("watermark", PNG))
    first = await post(api, a_form(*form), **{"Idempotency-Key": "k"})
    second = await post(api, a_form(*form), **{"Idempotency-Key": "k"})

    assert (first[0], second[0]) == (202, 202)
    assert first[1]["id"] == second[1]["id"]
    assert len(await api.keys()) == 2
    assert len(await api.posted()) == 1


@pytest.mark.parametrize("other", [(("file", CLIP + b"x"),), (("file", CLIP), ("title", "other"))])
async def test_another_request_with_the_same_key_is_refused(
    api: Api, other: tuple[tuple[str, str | bytes], ...]
) -> None:
    await post(api, a_form(("file", CLIP)), **{"Idempotency-Key": "k"})

    status, problem = await post(api, a_form(*other), **{"Idempotency-Key": "k"})

    assert (status, problem["code"]) == (422, "idempotency.mismatch")
    assert len(await api.keys()) == 1


async def test_a_key_can_be_used_again_after_a_refusal(api: Api) -> None:
    refused = await post(api, a_form(("file", b"")), **{"Idempotency-Key": "k"})
    accepted = await post(api, a_form(("file", CLIP)), **{"Idempotency-Key": "k"})

    assert (refused[0], accepted[0]) == (422, 202)


async def test_a_request_is_refused_while_one_with_its_key_is_under_way(api: Api) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' + b"x" * 200_000
        begun.set()
        await go_on.wait()
        yield b"\r\n--b--\r\n"

    async def first() -> int:
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "k"}
        async with api.http.post("/v1/videos", data=slow(), headers=headers) as answer:
            return answer.status

    async with asyncio.TaskGroup() as group:
        running = group.create_task(first())
        await begun.wait()
        # The first request's head is read before the second one's: both go over their own connection, in order.
        while await api.parts.cache.get("idempotency:default:http:k") is None:
            await asyncio.sleep(0)
        status, problem = await post(api, a_form(("file", CLIP)), **{"Idempotency-Key": "k"})
        go_on.set()

    assert (status, problem["code"]) == (409, "idempotency.in_flight")
    assert running.result() == 202


async def test_a_bad_key_is_refused(api: Api) -> None:
    status, problem = await post(api, a_form(("file", CLIP)), **{"Idempotency-Key": "k" * 201})

    assert (status, problem["code"]) == (422, "idempotency.invalid_key")


async def test_the_file_stays_where_it_is_not_known_whether_the_video_was_entered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(api.parts.store)
    transaction = store.transaction

    @asynccontextmanager
    async def lost_at_commit(own: object) -> AsyncIterator[object]:
        with suppress(ZeroDivisionError):
            async with transaction(own) as inner:  # type: ignore[arg-type] # the store itself
                yield inner
                raise ZeroDivisionError
        raise StoreUnavailable("The connection was lost at COMMIT.")

    monkeypatch.setattr(store, "transaction", lost_at_commit)
    status, problem = await post(api, a_form(("file", CLIP)))

    assert (status, problem["code"]) == (503, "service.unavailable")
    assert len(await api.keys("originals/")) == 1


class TestAnObjectInTheBucket:
    """JSON that names an object below incoming/{tenant}/."""

    async def put(self, api: Api, key: str, content: bytes = CLIP) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        return (await api.parts.storage.put(key, chunks())).etag

    async def test_it_becomes_a_video_pinned_by_its_etag(self, api: Api) -> None:
        etag = await self.put(api, "incoming/default/cam/clip.mp4")
        body = {"object": {"key": "incoming/default/cam/clip.mp4", "etag": f'"{etag}"'}, "recipe": None, "tags": ["x"]}

        async with api.http.post("/v1/videos", json=body) as answer:
            video = await answer.json()

        assert answer.status == 202
        assert (video["title"], video["recipe"], video["tags"]) == ("clip", None, ["x"])
        kept = await api.video(video["id"])
        assert (kept.object_key, kept.object_etag, kept.size) == ("incoming/default/cam/clip.mp4", etag, len(CLIP))

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"object": {"key": "incoming/default/none.mp4"}}, 404, "object.not_found"),
            ({"object": {"key": "incoming/default/clip.mp4", "etag": "other"}}, 409, "object.changed"),
            ({"object": {"key": "incoming/default/empty.mp4"}}, 422, "upload.empty"),
            ({"object": {"key": "incoming/other/clip.mp4"}}, 422, "object.key_not_allowed"),
            ({"object": {"key": "incoming/default/../other/clip.mp4"}}, 422, "object.key_not_allowed"),
            ({"object": {"key": "incoming/default/"}}, 422, "object.key_not_allowed"),
            ({"object": {"key": "originals/default/x/original"}}, 422, "object.key_not_allowed"),
            ({"object": {"key": 5}}, 422, "request.invalid"),
            ({"object": {"key": "incoming/default/clip.mp4", "bucket": "x"}}, 422, "request.invalid"),
            ({"object": {"key": "incoming/default/clip.mp4"}, "colour": "red"}, 422, "request.invalid"),
            ({"object": {"key": "incoming/default/clip.mp4"}, "recipe": {"steps": [{}]}}, 422, "recipe.invalid"),
            ({"object": {"key": "incoming/default/clip.mp4"}, "recipe": json.loads(MARKED)}, 422, "recipe.invalid"),
            ({}, 422, "request.invalid"),
            ({"source_url": "https://example.org/a.mp4"}, 422, "source_url.unsupported"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_it_is_refused_with_a_reason(self, api: Api, body: Document, status: int, code: str) -> None:
        await self.put(api, "incoming/default/clip.mp4")
        await self.put(api, "incoming/default/empty.mp4", b"")

        async with api.http.post("/v1/videos", json=body) as answer:
            problem = await answer.json(content_type=None)

        assert (answer.status, problem["code"]) == (status, code), problem
        assert (await api.get("/v1/videos"))["data"] == []

    async def test_a_repetition_gives_the_same_video(self, api: Api) -> None:
        await self.put(api, "incoming/default/clip.mp4")
        headers = {"Idempotency-Key": new_id()}
        ids = []
        for _ in range(2):
            body = {"object": {"key": "incoming/default/clip.mp4"}}
            async with api.http.post("/v1/videos", json=body, headers=headers) as answer:
                ids.append((await answer.json())["id"])

        assert ids[0] == ids[1]
