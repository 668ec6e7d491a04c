"""A store of objects under slash-separated keys. An object appears whole or not at all, and is replaced whole.

Keys are built by us alone, never from a client's words. ETags are strong and the same for every reader.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Progress = Callable[[int], None]
"""Called with the number of bytes moved since the last call, from the event loop."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """``size`` in bytes; ``etag`` without quotes; ``sha256`` in hex where it was computed on the way, else None."""

    key: str
    size: int
    etag: str
    sha256: str | None = None


class ObjectStorage(Protocol):
    """``StorageUnavailable`` where it can't be reached, ``NoSpace`` where it is full; keys: at most 900 characters."""

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        """Store what *chunks* yields, never held whole in memory; the answer has the SHA-256.

        If *chunks* raises, or the caller is cancelled, nothing is visible under *key* and no part is left behind.
        """

    async def upload(
        self, path: Path, key: str, *, content_type: str = "application/octet-stream", progress: Progress | None = None
    ) -> StoredObject:
        """Store the file at *path*, which is left as it is and must not change any more; the answer has the SHA-256."""

    async def download(
        self, key: str, path: Path, *, etag: str | None = None, progress: Progress | None = None
    ) -> StoredObject:
        """Make *path* a file with the object's bytes, for reading only (it may share them with the store).

        ``ObjectNotFound``; ``ObjectChanged`` where *etag* is given and is not the object's. A transfer that breaks is
        resumed; bytes of two versions are never mixed.
        """

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes from *start* to *end* (exclusive; None: to the end) in chunks; memory does not grow with the size.

        ``ObjectNotFound`` and ``ObjectChanged`` are raised on entering, before the first chunk.
        """

    async def stat(self, key: str) -> StoredObject:
        """Size and ETag; ``ObjectNotFound``."""

    def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Every object whose key starts with *prefix*, in the keys' order."""

    async def delete(self, prefix: str) -> int:
        """Delete every object whose key starts with *prefix*, and unfinished uploads too; how many objects there were.

        Deleting nothing is not an error.
        """

    async def check(self) -> None:
        """Return if the store can be written and read; else ``StorageUnavailable`` that says what is wrong."""
