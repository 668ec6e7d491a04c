"""Fetching an object from S3 into a file: a few segments at once, each a stream that mends itself."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from moviola.adapters.object_storage.digests import CHUNK, RunningDigest
from moviola.adapters.object_storage.s3_client import Bucket
from moviola.adapters.object_storage.s3_streams import Stream
from moviola.adapters.object_storage.threads import Threads, no_space_told
from moviola.errors import StorageUnavailable
from moviola.ports.object_storage import StoredObject
from moviola.video import new_id

T = TypeVar("T")
P = ParamSpec("P")
SEGMENT = 16 << 20
_AT_ONCE = 4
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Download:
    """One version of an object on its way to a file; ``moved`` is told of bytes that are in it."""

    def __init__(self, bucket: Bucket, wanted: StoredObject, threads: Threads, moved: Callable[[int], None]) -> None:
        self._bucket = bucket
        self._wanted = wanted
        self._threads = threads
        self._moved = moved
        self._file = -1

    async def fetch(self, path: Path) -> StoredObject:
        """Make *path* that file; it appears whole or not at all."""
        aside = path.with_name(f".{path.name[:180]}.{new_id()}")
        try:
            await self._on_disk(self._open, aside)
            await self._fill()
            sha256 = await self._sha256()
            await self._on_disk(os.replace, aside, path)
        finally:
            await self._threads.run(self._let_go, aside)
        return StoredObject(self._wanted.key, self._wanted.size, self._wanted.etag, sha256)

    def _open(self, aside: Path) -> None:
        self._file = os.open(aside, _NEW_FILE, 0o644)

    def _let_go(self, aside: Path) -> None:
        if self._file >= 0:
            os.close(self._file)
        with suppress(FileNotFoundError):
            aside.unlink()

    async def _fill(self) -> None:
        seats = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for start in range(0, self._wanted.size, SEGMENT):
                    await seats.acquire()
                    group.create_task(self._segment(start, min(start + SEGMENT, self._wanted.size), seats))
        except BaseExceptionGroup as failures:
            # One failure ends them all; it is the one to tell.
            raise failures.exceptions[0] from failures

    async def _segment(self, start: int, end: int, seats: asyncio.Semaphore) -> None:
        stream = Stream(self._bucket, self._wanted.key, start=start, end=end, etag=self._wanted.etag)
        position = start
        gathered = bytearray()
        try:
            await stream.open()
            async for chunk in stream.chunks():
                gathered += chunk
                if len(gathered) >= CHUNK:
                    position = await self._write(gathered, position)
            await self._write(gathered, position)
        finally:
            stream.close()
            seats.release()

    async def _write(self, gathered: bytearray, position: int) -> int:
        """Empty *gathered* into the file at *position*; where it ends."""
        await self._on_disk(_write_all, self._file, bytes(gathered), position)
        self._moved(len(gathered))
        position += len(gathered)
        gathered.clear()
        return position

    async def _sha256(self) -> str:
        digest = RunningDigest()
        while await self._threads.run(digest.read_some, self._file):
            pass
        if digest.size != self._wanted.size:
            raise StorageUnavailable(f"{digest.size} bytes of {self._wanted.size} arrived.")
        return digest.hex()

    async def _on_disk(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with no_space_told():
            return await self._threads.run(call, *args, **kwargs)


def _write_all(file: int, data: bytes, position: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, position)
        left = left[written:]
        position += written
