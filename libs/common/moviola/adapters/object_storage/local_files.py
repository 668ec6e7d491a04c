"""Objects as files below a directory: the storage of the embedded system.

It creates, below its root, a file for each object at the path that its key spells, directories as they are needed, and
``.unfinished`` for files being written. It promises that an object appears whole or not at all, that it is on the disk
when ``put`` or ``upload`` returns, and that an ETag follows from the bytes alone (see ``digests``). Where the file
system can link, ``upload`` and ``download`` move no byte: the file and the object share them, and deleting either
leaves the other. It needs one file system below its root that can rename and lock.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from moviola.adapters.object_storage.digests import CHUNK, Digests, etag_of
from moviola.adapters.object_storage.keys import components, components_of_existing
from moviola.adapters.object_storage.local_tree import Tree
from moviola.adapters.object_storage.local_workshop import open_tree
from moviola.adapters.object_storage.local_writes import TakenFile, UnfinishedFile
from moviola.adapters.object_storage.threads import OpenFile, Threads, no_space_told
from moviola.errors import ObjectChanged, ObjectNotFound, StorageUnavailable
from moviola.ports.object_storage import ObjectStorage, Progress, StoredObject

T = TypeVar("T")
P = ParamSpec("P")
_LISTED_AT_ONCE = 200


class LocalFiles:
    def __init__(self, tree: Tree, threads: Threads) -> None:
        self._tree = tree
        self._threads = threads
        self._digests = Digests()

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        parts = components(key)
        async with self._unfinished() as unfinished:
            await self._run(unfinished.create)
            async for batch in _batches(chunks):
                await self._run(unfinished.write, batch)
            sha256 = await self._run(unfinished.finish, parts)
        return StoredObject(key, unfinished.size, etag_of(sha256), sha256)

    async def upload(
        self, path: Path, key: str, *, content_type: str = "application/octet-stream", progress: Progress | None = None
    ) -> StoredObject:
        parts = components(key)
        async with self._unfinished() as unfinished:
            if await self._run(unfinished.link, path):
                while moved := await self._run(unfinished.hash_some):
                    _tell(progress, moved)
            else:
                await self._run(unfinished.create)
                await self._copy_in(path, unfinished, progress)
            sha256 = await self._run(unfinished.finish, parts)
        return StoredObject(key, unfinished.size, etag_of(sha256), sha256)

    async def _copy_in(self, path: Path, unfinished: UnfinishedFile, progress: Progress | None) -> None:
        source = OpenFile()
        try:
            await self._run_outside(source.open, lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            while chunk := await self._run_outside(os.pread, source.descriptor, CHUNK, unfinished.size):
                await self._run(unfinished.write, (chunk,))
                _tell(progress, len(chunk))
        finally:
            source.close()

    async def download(
        self, key: str, path: Path, *, etag: str | None = None, progress: Progress | None = None
    ) -> StoredObject:
        async with self._opened(key, etag) as (file, found):
            taken = TakenFile(file, path)
            try:
                if await self._run(taken.link, self._tree, components(key)):
                    _tell(progress, found.size)
                else:
                    while moved := await self._run_outside(taken.copy_some):
                        _tell(progress, moved)
                    await self._run_outside(taken.finish)
            finally:
                await self._run_outside(taken.discard)
        return found

    @asynccontextmanager
    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"not a range: {start} to {end}")
        async with self._opened(key, etag) as (file, found):
            yield self._chunks(file, start, found.size if end is None else min(end, found.size))

    async def _chunks(self, file: int, position: int, end: int) -> AsyncIterator[bytes]:
        while position < end:
            chunk = await self._run(os.pread, file, min(CHUNK, end - position), position)
            if not chunk:
                raise StorageUnavailable("A stored file became shorter while it was read.")
            position += len(chunk)
            yield chunk

    async def stat(self, key: str) -> StoredObject:
        async with self._opened(key, None) as (_, found):
            return found

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        keys = self._tree.walk(prefix)
        while page := await self._run(lambda: [*islice(keys, _LISTED_AT_ONCE)]):
            for found in await self._run(self._facts_of_listed, page):
                yield found

    def _facts_of_listed(self, keys: Sequence[str]) -> Sequence[StoredObject]:
        found = []
        for key in keys:
            with suppress(FileNotFoundError):  # deleted since it was listed
                file = self._tree.open(components(key))
                try:
                    found.append(self._facts(key, file))
                finally:
                    os.close(file)
        return found

    async def delete(self, prefix: str) -> int:
        return await self._run(lambda: sum(self._tree.remove(components(key)) for key in self._tree.walk(prefix)))

    async def check(self) -> None:
        async with self._unfinished() as unfinished:
            await self._run(unfinished.create)
            await self._run(unfinished.write, (b"written",))
        await self._run(os.listdir, self._tree.root)

    @asynccontextmanager
    async def _unfinished(self) -> AsyncIterator[UnfinishedFile]:
        unfinished = UnfinishedFile(self._tree, self._digests)
        try:
            yield unfinished
        finally:
            await self._run(unfinished.discard)

    @asynccontextmanager
    async def _opened(self, key: str, etag: str | None) -> AsyncIterator[tuple[int, StoredObject]]:
        """A descriptor of the object, which keeps its bytes even if it is replaced or deleted meanwhile."""
        parts = components_of_existing(key)
        file = OpenFile()
        try:
            await self._run(_open_existing, file, self._tree, parts)
            found = await self._run(self._facts, key, file.descriptor)
            if etag is not None and etag != found.etag:
                raise ObjectChanged("The object is not the one that was asked for.")
            yield file.descriptor, found
        finally:
            file.close()

    def _facts(self, key: str, file: int) -> StoredObject:
        sha256 = self._digests.of(file)
        return StoredObject(key, os.fstat(file).st_size, etag_of(sha256), sha256)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with no_space_told():
                return await self._threads.run(call, *args, **kwargs)
        except OSError as error:
            raise StorageUnavailable(f"The object storage's directory can't be used: {error}.") from error

    async def _run_outside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For the caller's own files: what is wrong with them is the caller's affair."""
        with no_space_told():
            return await self._threads.run(call, *args, **kwargs)


def _open_existing(file: OpenFile, tree: Tree, parts: Sequence[str]) -> None:
    try:
        file.open(lambda: tree.open(parts))
    except FileNotFoundError as error:
        raise ObjectNotFound("There is no object at that key.") from error


async def _batches(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[bytes, ...]]:
    """Chunks in batches of a megabyte or more: small ones are not worth a thread's turn each."""
    batch: list[bytes] = []
    size = 0
    async for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= CHUNK:
            yield tuple(batch)
            batch.clear()
            size = 0
    if batch:
        yield tuple(batch)


def _tell(progress: Progress | None, moved: int) -> None:
    if progress is not None and moved:
        progress(moved)


@asynccontextmanager
async def open_local_files(root: Path) -> AsyncIterator[ObjectStorage]:
    """The objects below *root*, which is made if need be; ``StorageUnavailable`` where that can't be."""
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="objects") as executor:
        threads = Threads(executor)
        try:
            opening = open_tree(root)
            tree = await threads.run(opening.__enter__)
        except OSError as error:
            raise StorageUnavailable(f"The object storage's directory can't be made: {error}.") from error
        try:
            yield LocalFiles(tree, threads)
        finally:
            await threads.run(opening.__exit__, None, None, None)
