"""What only files can be put through: links, leftovers, copies of the directory, a full disk."""

import asyncio
import os
import resource
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moviola.adapters.object_storage.local_files import open_local_files
from moviola.errors import NoSpace, ObjectNotFound, StorageUnavailable
from moviola.ports.object_storage import ObjectStorage

PUT_AND_HANG = """
import asyncio, sys
from pathlib import Path
from moviola.adapters.object_storage.local_files import open_local_files

async def endless():
    yield bytes(2**21)
    yield bytes(2**21)
    print("under way", flush=True)
    await asyncio.Event().wait()

async def main():
    async with open_local_files(Path(sys.argv[1])) as storage:
        await storage.put("k", endless())

asyncio.run(main())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "objects"


@pytest.fixture
async def storage(root: Path) -> AsyncIterator[ObjectStorage]:
    async with open_local_files(root) as opened:
        yield opened


@pytest.fixture
def other_file_system(tmp_path: Path) -> Iterator[Path]:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    path = shared_memory / f"moviola-test-{os.getpid()}-{time.monotonic_ns()}"
    path.mkdir()
    yield path
    shutil.rmtree(path)


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(storage: ObjectStorage, key: str) -> bytes:
    async with storage.read(key) as chunks:
        return b"".join([chunk async for chunk in chunks])


def unfinished(root: Path) -> list[Path]:
    return [path for path in (root / ".unfinished").rglob("*") if path.is_file()]


async def test_upload_and_download_share_the_bytes_where_the_file_system_allows(
    storage: ObjectStorage, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(b"bytes")

    await storage.upload(tmp_path / "source", "a/k")
    await storage.download("a/k", tmp_path / "target")

    assert (tmp_path / "source").samefile(root / "a" / "k")
    assert (tmp_path / "target").samefile(root / "a" / "k")
    assert unfinished(root) == []


async def test_bytes_are_copied_between_file_systems(
    storage: ObjectStorage, root: Path, other_file_system: Path
) -> None:
    data = os.urandom(2**20) * 10 + b"tail"
    (other_file_system / "source").write_bytes(data)
    moved: list[int] = []

    stored = await storage.upload(other_file_system / "source", "k", progress=moved.append)
    got = await storage.download("k", other_file_system / "target", progress=moved.append)

    assert await content(storage, "k") == (other_file_system / "target").read_bytes() == data
    assert stored == got
    assert sum(moved) == 2 * len(data)
    assert sorted(path.name for path in other_file_system.iterdir()) == ["source", "target"]


async def test_a_symbolic_link_is_uploaded_as_what_it_points_to(storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to(tmp_path / "source")

    await storage.upload(tmp_path / "link", "k")

    assert await content(storage, "k") == b"bytes"


async def test_no_link_in_the_tree_is_followed(storage: ObjectStorage, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "directory").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")

    for key in ("directory/secret", "file"):
        with pytest.raises(ObjectNotFound):
            await storage.stat(key)
    assert [found async for found in storage.list("")] == []
    with pytest.raises(StorageUnavailable):
        await storage.put("directory/new", chunked(b"x"))
    assert await storage.delete("") == 0
    assert [path.name for path in outside.iterdir()] == ["secret"]


async def test_what_is_no_regular_file_is_no_object(storage: ObjectStorage, root: Path) -> None:
    os.mkfifo(root / "pipe")

    with pytest.raises(ObjectNotFound):
        await storage.stat("pipe")


@pytest.mark.parametrize("lost", ["attributes", "times", "nothing"])
async def test_a_copy_of_the_directory_has_the_same_etags(root: Path, tmp_path: Path, lost: str) -> None:
    async with open_local_files(root) as storage:
        stored = await storage.put("a/k", chunked(b"bytes"))
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, copy_function=shutil.copyfile if lost == "attributes" else shutil.copy2)
    if lost == "times":
        os.utime(copy / "a" / "k", (1, 1))

    async with open_local_files(copy) as storage:
        assert (await storage.stat("a/k")).etag == stored.etag
        assert (await storage.stat("a/k")).etag == stored.etag


async def test_an_etag_is_not_believed_when_somebody_changed_the_file(storage: ObjectStorage, root: Path) -> None:
    stored = await storage.put("k", chunked(b"bytes"))

    (root / "k").write_bytes(b"other")
    os.utime(root / "k", (1, 1))

    assert (await storage.stat("k")).etag != stored.etag


async def test_a_stored_file_is_read_only(storage: ObjectStorage, root: Path) -> None:
    await storage.put("k", chunked(b"bytes"))

    assert (root / "k").stat().st_mode & 0o222 == 0


async def test_deleting_leaves_no_empty_directory(storage: ObjectStorage, root: Path) -> None:
    for key in ("a/b/c/d", "a/b/e", "f/g"):
        await storage.put(key, chunked(b"x"))

    await storage.delete("a/b/c/")
    assert not (root / "a/b/c").exists()
    assert (root / "a/b/e").exists()
    await storage.delete("a/")
    assert sorted(path.name for path in root.iterdir()) == [".unfinished", "f"]
    await storage.delete("")
    assert [path.name for path in root.iterdir()] == [".unfinished"]


async def test_what_a_killed_process_left_is_cleared_when_the_store_is_opened_again(root: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PUT_AND_HANG, str(root), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()

    async with open_local_files(root) as storage:
        assert len(unfinished(root)) == 1, "its process lives"
        assert [found async for found in storage.list("")] == []
        process.kill()
        await process.wait()
    async with open_local_files(root):
        assert unfinished(root) == []


async def test_a_directory_that_was_never_locked_is_cleared_after_a_day(root: Path) -> None:
    young, old = root / ".unfinished" / ".new-young", root / ".unfinished" / ".new-old"
    for path in (young, old):
        path.mkdir(parents=True)
    os.utime(old, (1, 1))

    async with open_local_files(root):
        assert young.exists()
        assert not old.exists()


async def test_nothing_unfinished_is_left_by_a_failure(storage: ObjectStorage, root: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(2**21)
        assert len(unfinished(root)) == 1
        raise KeyError

    with pytest.raises(KeyError):
        await storage.put("a/k", breaking())

    assert unfinished(root) == []


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can become larger: the kernel then refuses as it does on a full disk, and nobody else is hurt."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_told_and_nothing_half_written_is_visible(storage: ObjectStorage, root: Path) -> None:
    await storage.put("k", chunked(b"old"))

    with room_for(2**20), pytest.raises(NoSpace):
        await storage.put("k", chunked(*[bytes(2**19)] * 8))

    assert await content(storage, "k") == b"old"
    assert unfinished(root) == []
    await storage.put("k", chunked(b"new"))


async def test_a_full_disk_on_the_other_side_is_told_too(storage: ObjectStorage, other_file_system: Path) -> None:
    await storage.put("k", chunked(bytes(2**21)))

    with room_for(2**20), pytest.raises(NoSpace):
        await storage.download("k", other_file_system / "target")

    assert list(other_file_system.iterdir()) == []


async def test_a_root_that_can_not_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        async with open_local_files(tmp_path / "file" / "objects"):
            pass


async def test_a_check_says_that_the_directory_is_gone(storage: ObjectStorage, root: Path) -> None:
    shutil.rmtree(root)

    with pytest.raises(StorageUnavailable):
        await storage.check()


async def test_a_source_that_is_not_there_is_the_callers_mistake(storage: ObjectStorage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await storage.upload(tmp_path / "nothing", "k")


async def test_no_descriptor_is_left_open(storage: ObjectStorage, root: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    await storage.put("k", chunked(b"bytes"))
    before = open_files()

    for turns in range(1, 12):
        reading = asyncio.create_task(content(storage, "k"))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])

    assert open_files() == before
