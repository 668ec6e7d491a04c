"""Files over HTTP: what a player, a download manager and a browser's cache ask for."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs
from yarl import URL

from moviola.errors import StorageUnavailable
from moviola.video import new_id
from tests.unit.moviola_api.conftest import CLIP, Api

RESULT = bytes(range(256)) * 4000


@pytest.fixture
async def result(api: Api) -> str:
    """The address of a result of 1,024,000 bytes."""
    video = await api.upload(filename="año.mov")
    await api.make_ready(video["id"], {"result.mp4": RESULT, "poster.jpg": b"poster"})
    return f"/v1/videos/{video['id']}/files/result.mp4"


async def test_a_whole_file_comes_with_all_that_a_cache_needs(api: Api, result: str) -> None:
    async with api.http.get(result) as answer:
        body = await answer.read()

    assert (answer.status, body == RESULT) == (200, True)
    headers = answer.headers
    assert headers["ETag"] == f'"{hashlib.sha256(RESULT).hexdigest()}"'
    assert headers["Content-Length"] == str(len(RESULT))
    assert headers["Content-Type"] == "video/mp4"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Last-Modified"].endswith("GMT")
    assert headers["Content-Disposition"] == (
        "inline; filename=\"a_o-result.mp4\"; filename*=UTF-8''a%C3%B1o-result.mp4"
    )


async def test_a_download_is_an_attachment(api: Api, result: str) -> None:
    async with api.http.get(f"{result}?download=1") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_head_is_get_without_a_body(api: Api, result: str) -> None:
    async with api.http.head(result, headers={"Range": "bytes=0-9"}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(RESULT))
        assert answer.headers["ETag"]
        assert await answer.read() == b""


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=1023990-", 206, 1023990, 1024000),
        ("bytes=-5", 206, 1023995, 1024000),
        ("bytes=-99999999", 206, 0, 1024000),
        ("bytes=1023990-99999999", 206, 1023990, 1024000),
        ("bytes=0-9,5-19", 206, 0, 20),
        ("bytes=5-4", 200, 0, 1024000),
        ("bytes=abc", 200, 0, 1024000),
        ("bytes=" + ",".join(f"{n * 10}-{n * 10}" for n in range(9)), 200, 0, 1024000),
    ],
)
async def test_a_range_is_served(api: Api, result: str, asked: str, status: int, start: int, end: int) -> None:
    async with api.http.get(result, headers={"Range": asked}) as answer:
        body = await answer.read()

    assert (answer.status, body == RESULT[start:end]) == (status, True)
    assert answer.headers["Content-Length"] == str(end - start)
    expected = f"bytes {start}-{end - 1}/{len(RESULT)}" if status == 206 else None
    assert answer.headers.get("Content-Range") == expected


@pytest.mark.parametrize("asked", ["bytes=1024000-", "bytes=-0", "bytes=9999999-99999999"])
async def test_a_range_beyond_the_end_is_answered_with_the_size(api: Api, result: str, asked: str) -> None:
    async with api.http.get(result, headers={"Range": asked}) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (416, "file.range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(RESULT)}"


async def test_several_ranges_come_as_parts(api: Api, result: str) -> None:
    async with api.http.get(result, headers={"Range": "bytes=500-509,0-4,-3"}) as answer:
        body = await answer.read()

    assert answer.status == 206
    assert len(body) == int(answer.headers["Content-Length"])
    message = message_from_bytes(f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    assert [content_of(part) for part in parts] == [
        ("bytes 500-509/1024000", RESULT[500:510]),
        ("bytes 0-4/1024000", RESULT[:5]),
        ("bytes 1023997-1023999/1024000", RESULT[-3:]),
    ]


def content_of(part: object) -> tuple[str, bytes]:
    assert isinstance(part, Message)
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return part["Content-Range"], payload


async def test_conditions_are_judged_before_ranges(api: Api, result: str) -> None:
    async with api.http.head(result) as answer:
        etag, modified = answer.headers["ETag"], answer.headers["Last-Modified"]

    async def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with api.http.get(result, headers={"Range": "bytes=0-9", **named}) as answer:
            return answer.status

    assert await status(If_None_Match=etag) == 304
    assert await status(If_Modified_Since=modified) == 304
    assert await status(If_Match='"other"') == 412
    assert await status(If_Match=etag) == 206
    assert await status(If_Range=etag) == 206
    assert await status(If_Range=modified) == 206
    assert await status(If_Range='"other"') == 200
    assert await status(If_Range=f"W/{etag}") == 200


async def test_a_304_has_the_validators_and_no_body(api: Api, result: str) -> None:
    async with api.http.get(result, headers={"If-None-Match": "*"}) as answer:
        assert answer.status == 304
        assert answer.headers["ETag"]
        assert answer.headers["Cache-Control"]
        assert await answer.read() == b""


async def test_what_belongs_to_a_run_may_be_kept_for_ever(api: Api) -> None:
    video = await api.upload()
    run = await api.make_ready(video["id"], {"result.mp4": b"first"})

    async with api.http.get(f"/v1/videos/{video['id']}/runs/{run.id}/files/result.mp4") as answer:
        assert await answer.read() == b"first"
        assert "immutable" in answer.headers["Cache-Control"]


async def test_the_run_of_another_video_is_not_found(api: Api) -> None:
    one, other = await api.upload(), await api.upload()
    run = await api.make_ready(one["id"], {"result.mp4": b"x"})

    for run_id in (run.id, new_id(), "x"):
        problem = await api.get(f"/v1/videos/{other['id']}/runs/{run_id}/files/result.mp4", status=404)
        assert problem["code"] == "run.not_found"


@pytest.mark.parametrize("name", ["none.mp4", "..%2F..%2Foriginal", "%00", "hls/none.ts"])
async def test_a_file_that_is_not_there_is_not_found(api: Api, result: str, name: str) -> None:
    assert (await api.get(result.replace("result.mp4", name), status=404))["code"] == "file.not_found"


async def test_an_object_that_is_missing_is_not_found_rather_than_half_sent(api: Api, result: str) -> None:
    await api.parts.storage.delete("outputs/")

    assert (await api.get(result, status=404))["code"] == "file.not_found"


async def test_a_storage_that_breaks_in_the_middle_cuts_the_answer_short(
    api: Api, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def breaking(*_: object, **__: object) -> AsyncIterator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            yield RESULT[:1000]
            raise StorageUnavailable("It went away.")

        yield chunks()

    monkeypatch.setattr(type(api.parts.storage), "read", breaking)
    async with api.http.get(result) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_an_original_that_was_replaced_is_not_served_as_the_one_that_was_sent(api: Api) -> None:
    video = await api.upload()
    key = (await api.keys("originals/"))[0]

    async def other() -> object:
        yield b"x" * len(CLIP)

    await api.parts.storage.put(key, other())  # type: ignore[arg-type] # an async generator of bytes

    assert (await api.get(video["original"]["url"], status=409))["code"] == "object.changed"


async def test_an_html_page_that_was_uploaded_is_never_shown_as_one(api: Api) -> None:
    video = await api.upload(b"<script>alert(1)</script>", filename="page.html")

    async with api.http.get(video["original"]["url"]) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_a_player_that_leaves_in_the_middle_leaves_no_traceback(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    # More than the buffers of both sockets hold.
    video = await api.upload()
    await api.make_ready(video["id"], {"result.mp4": bytes(30_000_000)})
    address = urlsplit(api.url)
    request = f"GET /v1/videos/{video['id']}/files/result.mp4 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with caplog.at_level(logging.WARNING), capture_logs() as told:
        for _ in range(3):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(request.encode())
            await reader.readexactly(1000)
            writer.transport.abort()
        await api.stop()

    assert caplog.records == []
    assert [entry for entry in told if entry["log_level"] in ("warning", "error")] == []
    assert len([entry for entry in told if entry["event"] == "client went away"]) == 3


async def test_a_playlist_leads_to_the_files_of_one_run_for_ever(api: Api) -> None:
    video = await api.upload()
    first = await api.make_ready(video["id"], {"hls/master.m3u8": b"#EXTM3U\n720p.m3u8\n", "hls/720p.mp4": b"old"})
    newest = f"/v1/videos/{video['id']}/files/hls/master.m3u8"

    async with api.http.get(f"{newest}?download=1", allow_redirects=False) as answer:
        assert answer.status == 307
        assert answer.headers["Location"] == f"../../runs/{first.id}/files/hls/master.m3u8?download=1"
        assert answer.headers["Cache-Control"] == "private, no-cache"
    async with api.http.get(newest, headers={"Range": "bytes=0-6"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"#EXTM3U")
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        followed = answer.url

    # Another run becomes ready while the player plays.
    files = {"hls/master.m3u8": b"#EXTM3U\nother.m3u8\n", "hls/720p.mp4": b"new"}
    await api.make_ready(video["id"], files, number=2)
    async with api.http.get(followed.join(URL("720p.mp4"))) as answer:
        assert (answer.status, await answer.read()) == (200, b"old")
    async with api.http.get(newest) as answer:
        assert await answer.read() == b"#EXTM3U\nother.m3u8\n"
    async with api.http.get(f"/v1/videos/{video['id']}/files/hls/720p.mp4") as answer:
        assert (await answer.read(), answer.headers["Content-Type"]) == (b"new", "video/mp4")


async def test_there_is_no_playlist_without_a_run(api: Api) -> None:
    video = await api.upload()
    problem = await api.get(f"/v1/videos/{video['id']}/files/hls/master.m3u8", status=404)
    assert problem["code"] == "file.not_found"
