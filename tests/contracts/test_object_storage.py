"""What every object storage does, whatever it stores on."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from moviola.adapters.object_storage.local_files import open_local_files
from moviola.adapters.object_storage.s3 import open_s3
from moviola.errors import ObjectChanged, ObjectNotFound
from moviola.ports.object_storage import ObjectStorage, StoredObject

Opener = Callable[[], AbstractAsyncContextManager[ObjectStorage]]
LARGE = 17 * 2**20 + 12345  # more than one part, and more than one segment, of what goes in pieces


@pytest.fixture(params=["local_files", "s3"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same objects again and again: as another process, or the same after a restart, would see them."""
    if request.param == "local_files":
        return lambda: open_local_files(tmp_path / "objects")
    settings = request.getfixturevalue("s3")
    return lambda: open_s3(settings, settings.bucket)


@pytest.fixture
async def storage(opener: Opener) -> AsyncIterator[ObjectStorage]:
    async with opener() as opened:
        yield opened


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def large_chunks() -> list[bytes]:
    block = hashlib.sha512(b"block").digest() * 4096  # 256 KiB
    whole, rest = divmod(LARGE, len(block))
    return [number.to_bytes(4, "big") + block[4:] for number in range(whole)] + [block[:rest]]


async def content(storage: ObjectStorage, key: str, **how: object) -> bytes:
    async with storage.read(key, **how) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def keys(storage: ObjectStorage, prefix: str) -> list[str]:
    return [found.key async for found in storage.list(prefix)]


async def put(storage: ObjectStorage, names: Iterable[str], data: bytes = b"x") -> None:
    for name in names:
        await storage.put(name, chunked(data))


async def test_what_was_put_is_read(storage: ObjectStorage) -> None:
    stored = await storage.put("a/b.bin", chunked(b"hello ", b"", b"world"))

    assert await content(storage, "a/b.bin") == b"hello world"
    assert stored.key == "a/b.bin"
    assert stored.size == 11
    assert stored.sha256 == hashlib.sha256(b"hello world").hexdigest()


async def test_an_object_may_be_empty(storage: ObjectStorage) -> None:
    stored = await storage.put("empty", chunked())

    assert (stored.size, stored.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert await content(storage, "empty") == b""
    assert (await storage.stat("empty")).size == 0


async def test_a_large_object_comes_back_whole(storage: ObjectStorage) -> None:
    chunks = large_chunks()
    stored = await storage.put("large", chunked(*chunks))

    assert stored.size == LARGE
    assert stored.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert await content(storage, "large") == b"".join(chunks)
    assert (await storage.stat("large")).size == LARGE


async def test_an_object_may_have_exactly_the_size_of_a_part(storage: ObjectStorage) -> None:
    for size in (8 << 20, 16 << 20):
        stored = await storage.put("exact", chunked(bytes(size)))

        assert stored.size == (await storage.stat("exact")).size == size
        assert stored.sha256 == hashlib.sha256(bytes(size)).hexdigest()


async def test_an_etag_has_no_quotes_and_every_reader_is_told_the_same(storage: ObjectStorage, opener: Opener) -> None:
    stored = await storage.put("k", chunked(b"1"))

    async with opener() as another:
        assert (await another.stat("k")).etag == stored.etag
        assert [found.etag async for found in another.list("k")] == [stored.etag]
    assert stored.etag.strip('"') == stored.etag != ""


async def test_an_object_is_replaced_whole_and_gets_another_etag(storage: ObjectStorage) -> None:
    first = await storage.put("k", chunked(b"the first, a longer one"))
    second = await storage.put("k", chunked(b"the second"))

    assert await content(storage, "k") == b"the second"
    assert (await storage.stat("k")).etag == second.etag != first.etag


async def test_a_reader_of_a_replaced_object_never_gets_a_mixture(storage: ObjectStorage) -> None:
    first, second = b"1" * LARGE, b"2" * LARGE
    await storage.put("k", chunked(first))

    async with storage.read("k") as chunks:
        received = await anext(chunks)
        await storage.put("k", chunked(second))
        try:
            received += b"".join([chunk async for chunk in chunks])
        except ObjectChanged:
            assert set(received) == {ord("1")}
        else:
            assert received == first


async def test_nothing_is_visible_before_the_last_chunk(storage: ObjectStorage) -> None:
    seen = []

    async def watching() -> AsyncIterator[bytes]:
        for chunk in large_chunks():
            yield chunk
        seen.extend(await keys(storage, ""))

    await storage.put("k", watching())

    assert seen == []
    assert await keys(storage, "") == ["k"]


class Broken(Exception):
    pass


async def test_nothing_is_left_when_the_chunks_raise(storage: ObjectStorage) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        for chunk in large_chunks():
            yield chunk
        raise Broken

    with pytest.raises(Broken):
        await storage.put("k", breaking())

    assert await keys(storage, "") == []


async def test_what_was_there_stays_when_the_chunks_of_its_successor_raise(storage: ObjectStorage) -> None:
    await storage.put("k", chunked(b"old"))

    async def breaking() -> AsyncIterator[bytes]:
        yield b"new"
        raise Broken

    with pytest.raises(Broken):
        await storage.put("k", breaking())

    assert await content(storage, "k") == b"old"


async def test_nothing_is_left_when_the_caller_is_cancelled(storage: ObjectStorage) -> None:
    under_way = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        for chunk in large_chunks():
            yield chunk
        under_way.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(storage.put("k", stalling()))
    await under_way.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert await keys(storage, "") == []


async def test_a_cancelled_upload_leaves_nothing_at_whatever_moment(storage: ObjectStorage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(LARGE))
    for turns in (1, 3, 10, 30, 100):
        uploading = asyncio.create_task(storage.upload(source, f"k{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        uploading.cancel()
        await asyncio.wait([uploading])

        if uploading.cancelled():
            assert await keys(storage, f"k{turns}") == []


async def test_a_file_is_uploaded_and_left_as_it_is(storage: ObjectStorage, tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(b"".join(large_chunks()))
    moved: list[int] = []

    stored = await storage.upload(source, "a/result.mp4", content_type="video/mp4", progress=moved.append)

    assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (stored.size, sum(moved)) == (LARGE, LARGE)
    assert await content(storage, "a/result.mp4") == source.read_bytes()
    assert (await storage.stat("a/result.mp4")).etag == stored.etag


async def test_an_uploaded_object_stays_when_its_file_is_deleted(storage: ObjectStorage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    await storage.upload(source, "k")

    source.unlink()

    assert await content(storage, "k") == b"bytes"


async def test_the_same_file_can_be_uploaded_twice_to_one_key_and_to_another(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    for key in ("k", "k", "l"):
        await storage.upload(source, key)

    assert await keys(storage, "") == ["k", "l"]


async def test_a_file_may_be_empty(storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert (await storage.upload(tmp_path / "empty", "k")).size == 0
    await storage.download("k", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == b""


async def test_an_object_is_downloaded_to_a_file(storage: ObjectStorage, tmp_path: Path) -> None:
    chunks = large_chunks()
    stored = await storage.put("k", chunked(*chunks))
    moved: list[int] = []

    got = await storage.download("k", tmp_path / "file.mp4", etag=stored.etag, progress=moved.append)

    assert (tmp_path / "file.mp4").read_bytes() == b"".join(chunks)
    assert (got.size, got.etag, sum(moved)) == (LARGE, stored.etag, LARGE)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file.mp4"]


async def test_a_download_replaces_the_file(storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    await storage.put("k", chunked(b"new"))

    await storage.download("k", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b"new"


async def test_a_downloaded_file_stays_when_the_object_is_replaced_or_deleted(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    await storage.put("k", chunked(b"first"))
    await storage.download("k", tmp_path / "file")

    await storage.put("k", chunked(b"second"))
    await storage.delete("k")

    assert (tmp_path / "file").read_bytes() == b"first"


async def test_an_object_stays_when_the_downloaded_file_is_deleted(storage: ObjectStorage, tmp_path: Path) -> None:
    await storage.put("k", chunked(b"bytes"))
    await storage.download("k", tmp_path / "file")

    (tmp_path / "file").unlink()

    assert await content(storage, "k") == b"bytes"


async def test_a_download_of_another_version_is_refused(storage: ObjectStorage, tmp_path: Path) -> None:
    first = await storage.put("k", chunked(b"first"))
    await storage.put("k", chunked(b"second"))

    with pytest.raises(ObjectChanged):
        await storage.download("k", tmp_path / "file", etag=first.etag)

    assert not (tmp_path / "file").exists()


async def test_there_is_nothing_to_download_read_or_stat_where_nothing_is(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    await storage.put("a/b", chunked(b"x"))
    for key in ("c", "a", "a/b/c", "a/c", "/a", "a/", "a//b", "../a/b", "a/../a/b", "nul\0", "", "x" * 901):
        with pytest.raises(ObjectNotFound):
            await storage.download(key, tmp_path / "file")
        with pytest.raises(ObjectNotFound):
            await storage.stat(key)
        with pytest.raises(ObjectNotFound):
            async with storage.read(key):
                pass
    assert not (tmp_path / "file").exists()


async def test_a_range_is_read(storage: ObjectStorage) -> None:
    await storage.put("k", chunked(b"0123456789"))

    for start, end, expected in (
        (0, None, b"0123456789"),
        (0, 1, b"0"),
        (3, 7, b"3456"),
        (7, None, b"789"),
        (9, 10, b"9"),
        (5, 5, b""),
        (8, 99, b"89"),
        (10, None, b""),
        (99, None, b""),
        (99, 100, b""),
    ):
        assert await content(storage, "k", start=start, end=end) == expected, (start, end)


async def test_a_range_of_a_large_object_is_read(storage: ObjectStorage) -> None:
    chunks = large_chunks()
    await storage.put("k", chunked(*chunks))

    read = await content(storage, "k", start=LARGE - 9_000_001, end=LARGE - 1)

    assert read == b"".join(chunks)[LARGE - 9_000_001 : LARGE - 1]


async def test_a_large_object_is_read_in_chunks_that_are_not(storage: ObjectStorage) -> None:
    await storage.put("k", chunked(*large_chunks()))

    async with storage.read("k") as chunks:
        assert max([len(chunk) async for chunk in chunks]) <= 2**20


async def test_reading_another_version_is_refused_before_the_first_chunk(storage: ObjectStorage) -> None:
    first = await storage.put("k", chunked(b"first"))
    await storage.put("k", chunked(b"second"))

    for how in ({}, {"start": 1}, {"start": 1, "end": 1}):
        with pytest.raises(ObjectChanged):
            async with storage.read("k", etag=first.etag, **how):
                pass


async def test_reading_may_end_early(storage: ObjectStorage) -> None:
    await storage.put("k", chunked(*large_chunks()))

    async with storage.read("k") as chunks:
        assert await anext(chunks)

    assert (await storage.stat("k")).size == LARGE


async def test_objects_are_listed_in_the_order_of_their_keys(storage: ObjectStorage) -> None:
    names = ["a/b", "a-b", "a/b-c", "a.b", "a/b.c/d", "a/b.c-d", "b", "a/é", "a/z", "a/Z", "a0"]
    await put(storage, names)

    assert await keys(storage, "") == sorted(names, key=str.encode)
    assert [(found.key, found.size) async for found in storage.list("a-")] == [("a-b", 1)]


async def test_a_prefix_is_any_beginning_of_a_key(storage: ObjectStorage) -> None:
    await put(storage, ["video/1/a", "video/1/b", "video/12/a", "video/2/a", "vid"])

    assert await keys(storage, "video/1") == ["video/1/a", "video/1/b", "video/12/a"]
    assert await keys(storage, "video/1/") == ["video/1/a", "video/1/b"]
    assert await keys(storage, "video/1/a") == ["video/1/a"]
    assert await keys(storage, "vi") == ["vid", "video/1/a", "video/1/b", "video/12/a", "video/2/a"]


async def test_where_nothing_is_nothing_is_listed_or_deleted(storage: ObjectStorage) -> None:
    await put(storage, ["video/1/a"])

    for prefix in ("nothing/", "video/1/a/", "/", "../", "video//", "video/../video/"):
        assert await keys(storage, prefix) == []
        assert await storage.delete(prefix) == 0
    assert await keys(storage, "") == ["video/1/a"]


async def test_all_objects_with_a_prefix_are_deleted_and_counted(storage: ObjectStorage) -> None:
    await put(storage, ["video/1/a", "video/1/b/c", "video/12/a"])

    assert await storage.delete("video/1/") == 2

    assert await keys(storage, "") == ["video/12/a"]


async def test_an_object_can_be_put_where_others_were_deleted(storage: ObjectStorage) -> None:
    await put(storage, ["video/1/a"])
    await storage.delete("video/1/")

    await put(storage, ["video/1/a"])

    assert await keys(storage, "") == ["video/1/a"]


async def test_putting_and_deleting_neighbours_at_once_loses_nothing(storage: ObjectStorage) -> None:
    async def come_and_go(name: int) -> None:
        for _ in range(10):
            await put(storage, [f"shared/{name}/file"])
            assert await storage.delete(f"shared/{name}/") == 1

    async with asyncio.TaskGroup() as group:
        for name in range(4):
            group.create_task(come_and_go(name))

    assert await keys(storage, "") == []


async def test_a_key_may_have_900_characters(storage: ObjectStorage) -> None:
    key = "/".join(["d" * 89] * 10)
    key += "k" * (900 - len(key))

    await storage.put(key, chunked(b"x"))

    assert await keys(storage, "d") == [key]
    assert await content(storage, key) == b"x"


async def test_a_key_that_is_none_of_ours_is_refused(storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "source").touch()
    for key in ("", "/a", "a/", "a//b", "..", "a/../b", "./a", "nul\0", "k/" * 450 + "k"):
        with pytest.raises(ValueError, match="not a key"):
            await storage.put(key, chunked(b"x"))
        with pytest.raises(ValueError, match="not a key"):
            await storage.upload(tmp_path / "source", key)


async def test_the_last_of_two_writers_wins_whole(storage: ObjectStorage) -> None:
    async with asyncio.TaskGroup() as group:
        one = group.create_task(storage.put("k", chunked(*[b"1" * 2**20] * 9)))
        other = group.create_task(storage.put("k", chunked(*[b"2" * 2**20] * 9)))

    digest = hashlib.sha256(await content(storage, "k")).hexdigest()

    assert digest in (one.result().sha256, other.result().sha256)


async def test_a_check_passes_and_leaves_nothing(storage: ObjectStorage) -> None:
    await storage.check()

    assert await keys(storage, "") == []


async def test_objects_outlive_their_opening(opener: Opener) -> None:
    async with opener() as storage:
        stored = await storage.put("k", chunked(b"x"))
    async with opener() as storage:
        assert await storage.stat("k") in (stored, StoredObject("k", 1, stored.etag))


async def test_many_readers_share_one_storage(storage: ObjectStorage) -> None:
    async with AsyncExitStack() as stack:
        await storage.put("k", chunked(*large_chunks()))
        readers = [await stack.enter_async_context(storage.read("k", start=start)) for start in range(8)]
        firsts = await asyncio.gather(*(anext(reader) for reader in readers))

    whole = b"".join(large_chunks())
    assert all(whole[start:].startswith(first) for start, first in enumerate(firsts))
