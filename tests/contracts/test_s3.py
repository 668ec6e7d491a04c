"""What only S3 can be put through: a network that breaks, answers that get lost, parts that are left behind."""

import asyncio
import hashlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import pytest
import stamina
from aiohttp import web

from moviola.adapters.object_storage import s3_streams
from moviola.adapters.object_storage.s3 import open_s3
from moviola.adapters.object_storage.s3_client import TRIES
from moviola.errors import ObjectNotFound, StorageUnavailable
from moviola.ports.object_storage import ObjectStorage
from moviola.settings import S3Settings

LARGE = b"".join(number.to_bytes(4, "big") * 2**16 for number in range(70))  # 17.5 MiB: three parts, two segments
Fault = Callable[[web.Request], "Awaitable[web.StreamResponse | None]"]


class Network:
    """Between us and S3; ``faults`` are tried on every request, the first that answers is what we get."""

    def __init__(self, target: str, client: aiohttp.ClientSession) -> None:
        self.faults: list[Fault] = []
        self.asked: Counter[str] = Counter()
        self._target = target
        self._client = client

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.method] += 1
        for fault in self.faults:
            if (answer := await fault(request)) is not None:
                return answer
        status, headers, body = await self.forward(request)
        return web.Response(status=status, headers=headers, body=body)

    async def forward(self, request: web.Request, *, more: str = "") -> tuple[int, dict[str, str], bytes]:
        url = self._target + request.path_qs + more
        body = io.BytesIO(await request.read())
        async with self._client.request(request.method, url, headers=request.headers, data=body) as answer:
            # The length stays: that of a HEAD's answer is the object's.
            dropped = {"Transfer-Encoding", "Connection"}
            headers = {name: value for name, value in answer.headers.items() if name not in dropped}
            return answer.status, headers, await answer.read()


def reset(request: web.Request) -> web.StreamResponse:
    """The connection is gone."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.fixture
async def network(s3: S3Settings) -> AsyncIterator[tuple[Network, S3Settings]]:
    assert s3.endpoint is not None
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        network = Network(s3.endpoint, client)
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", network.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield network, s3.model_copy(update={"endpoint": f"http://127.0.0.1:{port}"})
        await runner.cleanup()


@pytest.fixture
def faults(network: tuple[Network, S3Settings]) -> list[Fault]:
    return network[0].faults


@pytest.fixture
async def storage(network: tuple[Network, S3Settings]) -> AsyncIterator[ObjectStorage]:
    async with open_s3(network[1], network[1].bucket) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=TRIES):
        yield


@pytest.fixture
def bucket(s3: S3Settings) -> Any:
    return boto3.resource(
        "s3", endpoint_url=s3.endpoint, region_name=s3.region, aws_access_key_id="test", aws_secret_access_key="test"
    ).Bucket(s3.bucket)


async def chunked(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 2**18):
        yield data[start : start + 2**18]


async def content(storage: ObjectStorage, key: str) -> bytes:
    async with storage.read(key) as chunks:
        return b"".join([chunk async for chunk in chunks])


def unfinished(bucket: Any) -> list[Any]:
    return list(bucket.multipart_uploads.all())


def every_other(kind: Callable[[web.Request], web.StreamResponse]) -> Fault:
    count = 0

    async def fault(request: web.Request) -> web.StreamResponse | None:
        nonlocal count
        count += 1
        if count % 2:
            await request.read()
            return kind(request)
        return None

    return fault


def busy(_request: web.Request) -> web.StreamResponse:
    body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    return web.Response(status=503, text=body, content_type="application/xml")


@pytest.mark.parametrize("kind", [busy, reset])
async def test_every_request_may_fail_once(
    storage: ObjectStorage, faults: list[Fault], tmp_path: Path, bucket: Any, kind: Any
) -> None:
    faults.append(every_other(kind))
    (tmp_path / "source").write_bytes(LARGE)

    await storage.put("put", chunked(LARGE))
    await storage.upload(tmp_path / "source", "uploaded")
    await storage.download("put", tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == LARGE
    assert await content(storage, "uploaded") == LARGE
    assert await storage.delete("") == 2
    assert unfinished(bucket) == []


async def test_a_storage_that_never_answers_is_unavailable_and_asked_no_more_than_a_few_times(
    storage: ObjectStorage, network: tuple[Network, S3Settings], tmp_path: Path
) -> None:
    async def always_busy(request: web.Request) -> web.StreamResponse:
        await request.read()
        return busy(request)

    network[0].faults.append(always_busy)

    with pytest.raises(StorageUnavailable):
        await storage.stat("k")
    with pytest.raises(StorageUnavailable):
        await storage.put("k", chunked(b"x"))
    with pytest.raises(StorageUnavailable):
        await storage.check()

    assert network[0].asked["HEAD"] == TRIES
    assert network[0].asked["PUT"] == TRIES + 1


def cut_after(network: Network, size: int) -> Fault:
    """Every answer to a GET ends after *size* bytes of its body."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != "GET":
            return None
        status, headers, body = await network.forward(request)
        if len(body) <= size:
            return web.Response(status=status, headers=headers, body=body)
        answer = web.StreamResponse(status=status, headers=headers)
        await answer.prepare(request)
        await answer.write(body[:size])
        assert request.transport is not None
        request.transport.abort()
        return answer

    return fault


async def test_a_transfer_that_breaks_again_and_again_is_resumed(
    storage: ObjectStorage, network: tuple[Network, S3Settings], tmp_path: Path
) -> None:
    await storage.put("k", chunked(LARGE))
    network[0].faults.append(cut_after(network[0], 3 * 2**20))
    moved: list[int] = []

    stored = await storage.download("k", tmp_path / "target", progress=moved.append)

    assert hashlib.sha256((tmp_path / "target").read_bytes()).hexdigest() == stored.sha256
    assert (tmp_path / "target").read_bytes() == await content(storage, "k") == LARGE
    assert sum(moved) == len(LARGE)


async def test_a_transfer_that_makes_no_way_is_given_up(
    storage: ObjectStorage, network: tuple[Network, S3Settings], tmp_path: Path
) -> None:
    await storage.put("k", chunked(LARGE))
    network[0].faults.append(cut_after(network[0], 0))

    with pytest.raises(StorageUnavailable):
        await storage.download("k", tmp_path / "target")

    assert list(tmp_path.iterdir()) == []


async def test_versions_are_not_mixed_when_an_object_is_replaced_during_a_broken_transfer(
    storage: ObjectStorage, network: tuple[Network, S3Settings], tmp_path: Path, bucket: Any
) -> None:
    await storage.put("k", chunked(LARGE))
    cut = cut_after(network[0], 2**20)

    async def replace_and_cut(request: web.Request) -> web.StreamResponse | None:
        answer = await cut(request)
        if request.method == "GET":
            await asyncio.to_thread(bucket.put_object, Key="k", Body=bytes(len(LARGE)))
        return answer

    network[0].faults.append(replace_and_cut)

    with pytest.raises(StorageUnavailable, match="replaced"):
        await storage.download("k", tmp_path / "target")

    assert list(tmp_path.iterdir()) == []


async def test_an_upload_whose_completion_was_not_answered_is_complete(
    storage: ObjectStorage, network: tuple[Network, S3Settings], bucket: Any
) -> None:
    lost: list[str] = []

    async def lose_the_answer(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and "uploadId" in request.query and not lost:
            lost.append(request.path)
            await network[0].forward(request)
            return reset(request)
        return None

    network[0].faults.append(lose_the_answer)

    stored = await storage.put("k", chunked(LARGE))

    assert len(lost) == 1
    assert stored.etag == (await storage.stat("k")).etag
    assert await content(storage, "k") == LARGE
    assert unfinished(bucket) == []


async def test_an_upload_that_somebody_aborted_is_not_taken_for_complete(
    storage: ObjectStorage, faults: list[Fault], bucket: Any
) -> None:
    await storage.put("k", chunked(b"older"))

    async def abort_first(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and "uploadId" in request.query:
            for upload in await asyncio.to_thread(unfinished, bucket):
                await asyncio.to_thread(upload.abort)
        return None

    faults.append(abort_first)

    with pytest.raises(StorageUnavailable):
        await storage.put("k", chunked(LARGE))

    assert await content(storage, "k") == b"older"


async def test_no_part_is_left_behind_by_a_failure_or_a_cancel(storage: ObjectStorage, bucket: Any) -> None:
    sent = asyncio.Event()

    async def breaking() -> AsyncIterator[bytes]:
        async for chunk in chunked(LARGE):
            yield chunk
        raise KeyError

    async def stalling() -> AsyncIterator[bytes]:
        async for chunk in chunked(LARGE):
            yield chunk
        sent.set()
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        await storage.put("k", breaking())
    putting = asyncio.create_task(storage.put("k", stalling()))
    await sent.wait()
    putting.cancel()
    await asyncio.wait([putting])

    assert putting.cancelled()
    assert unfinished(bucket) == []
    with pytest.raises(ObjectNotFound):
        await storage.stat("k")


async def test_parts_that_a_dead_process_left_go_with_their_prefix(storage: ObjectStorage, bucket: Any) -> None:
    for key in ("video/1/a", "video/1/b", "video/12/a"):
        bucket.Object(key).initiate_multipart_upload()

    assert await storage.delete("video/1/") == 0

    assert [upload.object_key for upload in unfinished(bucket)] == ["video/12/a"]


async def test_a_cancelled_put_of_one_request_leaves_nothing(
    storage: ObjectStorage, network: tuple[Network, S3Settings]
) -> None:
    arrived = asyncio.Event()
    stored = asyncio.Event()

    async def store_and_wait(request: web.Request) -> web.StreamResponse | None:
        if request.method != "PUT":
            return None
        status, headers, body = await network[0].forward(request)
        arrived.set()
        await stored.wait()
        return web.Response(status=status, headers=headers, body=body)

    network[0].faults.append(store_and_wait)
    putting = asyncio.create_task(storage.put("k", chunked(b"x")))
    await arrived.wait()

    putting.cancel()
    stored.set()
    await asyncio.wait([putting])

    assert putting.cancelled()
    with pytest.raises(ObjectNotFound):
        await storage.stat("k")


async def test_a_range_that_is_ignored_is_not_taken_for_the_range(
    storage: ObjectStorage, network: tuple[Network, S3Settings]
) -> None:
    await storage.put("k", chunked(b"0123456789"))

    async def ignore(request: web.Request) -> web.StreamResponse | None:
        if request.method != "GET":
            return None
        headers = {name: value for name, value in request.headers.items() if name != "Range"}
        _, answered, body = await network[0].forward(request.clone(headers=headers))
        return web.Response(status=200, headers=answered, body=body)

    network[0].faults.append(ignore)

    with pytest.raises(StorageUnavailable, match="range"):
        async with storage.read("k", start=5):
            pass


async def test_more_objects_than_one_answer_lists_are_listed_and_deleted(
    storage: ObjectStorage, network: tuple[Network, S3Settings], bucket: Any
) -> None:
    async def short_pages(request: web.Request) -> web.StreamResponse | None:
        if "prefix" not in request.query:
            return None
        limit = "max-uploads" if "uploads" in request.query else "max-keys"
        status, headers, body = await network[0].forward(request, more=f"&{limit}=3")
        return web.Response(status=status, headers=headers, body=body)

    network[0].faults.append(short_pages)
    names = [f"many/{number:02}" for number in range(10)]
    for name in names:
        await storage.put(name, chunked(b"x"))
        bucket.Object(name).initiate_multipart_upload()

    assert [found.key async for found in storage.list("many/")] == names
    assert await storage.delete("many/") == 10
    assert [found async for found in storage.list("many/")] == []
    assert unfinished(bucket) == []


async def test_a_bucket_that_is_not_there_is_unavailable(s3: S3Settings, tmp_path: Path) -> None:
    async with open_s3(s3, "no-such-bucket-at-all") as storage:
        with pytest.raises(StorageUnavailable, match="bucket"):
            await storage.check()
        with pytest.raises(StorageUnavailable):
            await storage.put("k", chunked(b"x"))
        with pytest.raises(StorageUnavailable):
            await storage.delete("k")


async def test_a_server_that_is_not_there_is_unavailable(s3: S3Settings) -> None:
    async with open_s3(s3.model_copy(update={"endpoint": "http://127.0.0.1:1"}), "b") as storage:
        with pytest.raises(StorageUnavailable):
            await storage.check()
        with pytest.raises(StorageUnavailable):
            await storage.stat("k")


async def test_the_chunks_of_a_stream_are_small(storage: ObjectStorage) -> None:
    await storage.put("k", chunked(LARGE))

    async with storage.read("k") as chunks:
        assert max([len(chunk) async for chunk in chunks]) <= s3_streams.CHUNK
