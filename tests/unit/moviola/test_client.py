"""The Python client against a small server of our own that misbehaves on demand."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

import moviola.client
from moviola.client import Client, DownloadDamaged, RequestRefused, ServerFailed, ServerUnreachable, connect
from moviola.documents import FileDocument
from moviola.errors import InvalidInput

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CONTENT = bytes(range(256)) * 4096
FILE = FileDocument(name="result.mp4", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
VIDEO = {"id": "v1", "status": "processing", "state": "rendering", "title": "One"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moviola.client, "_PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(handlers: Mapping[str, Handler], *, api_key: str | None = None) -> AsyncIterator[Client]:
    application = web.Application(client_max_size=2**30)
    for address, handler in handlers.items():
        method, path = address.split()
        application.router.add_route(method, path, handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with connect(f"http://127.0.0.1:{runner.addresses[0][1]}", api_key=api_key) as client:
            yield client
    finally:
        await runner.cleanup()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def problem(status: int, code: str) -> web.Response:
    body = {"title": "No", "detail": "It can't be.", "code": code, "errors": [{"pointer": "/recipe", "detail": "bad"}]}
    return web.json_response(body, status=status, content_type="application/problem+json")


async def test_upload_arrives_whole_with_its_fields_and_the_key(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(CONTENT)
    mark = tmp_path / "logo.png"
    mark.write_bytes(b"a mark")
    seen: dict[str, object] = {}
    told: list[int] = []

    async def take(request: web.Request) -> web.Response:
        seen["key"] = request.headers["Authorization"]
        seen["length"] = request.content_length
        form = await request.post()
        seen["fields"] = {name: form.getall(name) for name in ("recipe", "title", "tags")}
        for name in ("file", "watermark"):
            part = form[name]
            assert isinstance(part, web.FileField)
            seen[name] = (part.filename, part.file.read())
        return web.json_response(VIDEO, status=202)

    async with serving({"POST /v1/videos": take}, api_key="secret") as client:
        video = await client.submit(
            clip, recipe='{"steps":[]}', title="Ñandú", tags=("a", "b"), watermark=mark, progress=told.append
        )

    assert video.id == "v1"
    assert seen["key"] == "Bearer secret"
    assert isinstance(seen["length"], int)
    assert seen["fields"] == {"recipe": ['{"steps":[]}'], "title": ["Ñandú"], "tags": ["a", "b"]}
    assert seen["file"] == ("clip.mp4", CONTENT)
    assert seen["watermark"] == ("logo.png", b"a mark")
    assert sum(told) == len(CONTENT)


async def test_upload_cut_off_is_repeated_under_the_same_key(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(CONTENT)
    keys: list[str] = []

    async def take(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        await request.read()
        if len(keys) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(VIDEO, status=202)

    async with serving({"POST /v1/videos": take}) as client:
        await client.submit(clip)

    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_refusal_carries_code_and_pointer() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return problem(422, "recipe.invalid")

    async with serving({"GET /v1/videos/{id}": refuse}) as client:
        with pytest.raises(RequestRefused, match=r"It can't be\. \(/recipe: bad\)") as caught:
            await client.get("v1")

    assert (caught.value.status, caught.value.code) == (422, "recipe.invalid")


async def test_server_error_says_retry_later() -> None:
    async def fail(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>bad gateway</html>")

    async with serving({"GET /v1/videos/{id}": fail}) as client:
        with pytest.raises(ServerFailed, match="502"):
            await client.get("v1")


async def test_something_else_at_the_address_is_told() -> None:
    async def greet(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with serving({"GET /v1/videos/{id}": greet}) as client:
        with pytest.raises(ServerFailed, match="check the address"):
            await client.get("v1")


async def test_nobody_at_the_address_is_unreachable(unused_port: int) -> None:
    async with connect(f"http://127.0.0.1:{unused_port}") as client:
        with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{unused_port}") as caught:
            await client.get("v1")

    assert not caught.value.connected


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8080", "", "http://"])
async def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="address"):
        async with connect(url):
            pass


async def test_list_goes_through_pages_up_to_the_limit() -> None:
    queries: list[dict[str, str]] = []

    async def page(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        start = int(request.query.get("cursor", "0"))
        data = [{**VIDEO, "id": f"v{start + n}"} for n in range(2)]
        return web.json_response({"data": data, "next_cursor": str(start + 2)})

    async with serving({"GET /v1/videos": page}) as client:
        ids = [video.id async for video in client.videos(limit=5, status="ready", tag=None)]

    assert ids == ["v0", "v1", "v2", "v3", "v4"]
    assert queries == [
        {"status": "ready", "limit": "5"},
        {"status": "ready", "limit": "3", "cursor": "2"},
        {"status": "ready", "limit": "1", "cursor": "4"},
    ]


class Stage:
    """A video whose states are played one by one, and a stream of events that is cut after each."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.last_ids: list[str | None] = []

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({**VIDEO, "status": self.statuses[0]})

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.last_ids.append(request.headers.get("Last-Event-ID"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.statuses = self.statuses[1:] or self.statuses
        await response.write(f"id: {len(self.last_ids)}\nevent: state\ndata: {{}}\n\n".encode())
        return response


async def test_watching_reconnects_from_the_last_event_until_the_video_has_ended() -> None:
    stage = Stage("queued", "processing", "processing", "ready")

    async with serving({"GET /v1/videos/{id}": stage.get, "GET /v1/videos/{id}/events": stage.events}) as client:
        statuses = [video.status async for video in client.watch("v1")]

    assert statuses[0] == "queued"
    assert statuses[-1] == "ready"
    assert statuses.count("ready") == 1
    assert stage.last_ids == [None, "1", "2"]


async def test_watching_a_video_that_has_ended_opens_no_stream() -> None:
    stage = Stage("failed")

    async with serving({"GET /v1/videos/{id}": stage.get}) as client:
        assert [video.status async for video in client.watch("v1")] == ["failed"]


async def test_watching_gives_up_when_the_server_stays_away() -> None:
    stage = Stage("processing")

    async def away(request: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serving({"GET /v1/videos/{id}": stage.get, "GET /v1/videos/{id}/events": away}) as client:
        with pytest.raises(ServerFailed):
            async for _ in client.watch("v1"):
                pass


class Shelf:
    """A file that is served in pieces: each answer is cut off after so many bytes."""

    def __init__(self, *, cut: int, ranges: bool = True, content: bytes = CONTENT) -> None:
        self.cut, self.ranges, self.content = cut, ranges, content
        self.starts: list[int] = []

    async def file(self, request: web.Request) -> web.StreamResponse:
        start = (request.http_range.start or 0) if self.ranges else 0
        self.starts.append(start)
        rest = self.content[start:]
        response = web.StreamResponse(status=206 if start else 200, headers={"Content-Length": str(len(rest))})
        await response.prepare(request)
        await response.write(rest[: self.cut])
        if len(rest) > self.cut:
            # Let what was written leave before the connection is cut.
            await asyncio.sleep(0)
            assert request.transport is not None
            request.transport.close()
        return response


async def test_download_resumes_until_it_is_whole(tmp_path: Path) -> None:
    shelf, told = Shelf(cut=400_000), list[int]()
    target = tmp_path / "out.mp4"

    async with serving({"GET /v1/videos/{id}/files/{name}": shelf.file}) as client:
        await client.download("v1", FILE, target, progress=told.append)

    assert target.read_bytes() == CONTENT
    assert len(shelf.starts) > 1
    assert shelf.starts == sorted(set(shelf.starts))
    assert sum(told) == len(CONTENT)
    assert names_in(tmp_path) == {target.name}


async def test_download_goes_on_where_an_earlier_one_was_interrupted(tmp_path: Path) -> None:
    shelf, target = Shelf(cut=2**30), tmp_path / "out.mp4"
    (tmp_path / f".out.mp4.{FILE.sha256[:16]}.part").write_bytes(CONTENT[:1000])

    async with serving({"GET /v1/videos/{id}/files/{name}": shelf.file}) as client:
        await client.download("v1", FILE, target)

    assert shelf.starts == [1000]
    assert target.read_bytes() == CONTENT


async def test_download_starts_anew_where_the_server_ignores_ranges(tmp_path: Path) -> None:
    shelf, target, told = Shelf(cut=2**30, ranges=False), tmp_path / "out.mp4", list[int]()
    (tmp_path / f".out.mp4.{FILE.sha256[:16]}.part").write_bytes(b"x" * 1000)

    async with serving({"GET /v1/videos/{id}/files/{name}": shelf.file}) as client:
        await client.download("v1", FILE, target, progress=told.append)

    assert target.read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)


async def test_damaged_download_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    shelf, target = Shelf(cut=2**30, content=b"y" + CONTENT[1:]), tmp_path / "out.mp4"
    target.write_bytes(b"older")

    async with serving({"GET /v1/videos/{id}/files/{name}": shelf.file}) as client:
        with pytest.raises(DownloadDamaged):
            await client.download("v1", FILE, target)

    assert target.read_bytes() == b"older"
    assert names_in(tmp_path) == {target.name}


async def test_download_that_brings_nothing_gives_up(tmp_path: Path) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serving({"GET /v1/videos/{id}/files/{name}": away}) as client:
        with pytest.raises(ServerFailed):
            await client.download("v1", FILE, tmp_path / "out.mp4")

    assert names_in(tmp_path) == set()
