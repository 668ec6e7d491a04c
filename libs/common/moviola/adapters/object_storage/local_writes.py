"""Making a file of the local store, or a file out of it: written aside, then moved into its place whole. Blocking."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from moviola.adapters.object_storage.digests import CHUNK, TURN, Digests, RunningDigest
from moviola.adapters.object_storage.local_tree import Tree

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOR_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnfinishedFile:
    """A file that nobody sees yet: ``create`` and ``write`` it, or ``link`` another and ``hash_some`` to the end.

    Then ``finish`` it. ``discard`` ends it in every case; behind ``finish`` it only lets go of it.
    """

    def __init__(self, tree: Tree, digests: Digests) -> None:
        self._tree = tree
        self._digests = digests
        self._path = tree.unfinished()
        self._file = -1
        self._digest = RunningDigest()

    @property
    def size(self) -> int:
        return self._digest.size

    def create(self) -> None:
        # Whoever downloads the object by a link must not change it, so nobody may write the file.
        self._file = os.open(self._path, _NEW_FILE, 0o444)

    def write(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._digest.update(chunk)
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._file, left) :]

    def link(self, source: Path) -> bool:
        """Share the bytes of *source*; False where that can't be (another file system, another owner, no such file)."""
        if source.is_symlink():
            return False
        try:
            os.link(source, self._path)
        except OSError:
            return False
        self._file = os.open(self._path, _FOR_READING)
        return True

    def hash_some(self) -> int:
        """Read on for a turn; how many bytes, 0 at the end."""
        return self._digest.read_some(self._file)

    def finish(self, parts: Sequence[str]) -> str:
        """Move it into its place, durably; the SHA-256 in hex."""
        sha256 = self._digest.hex()
        self._digests.note(self._file, sha256)
        os.fsync(self._file)
        self._tree.publish(self._path, parts)
        return sha256

    def discard(self) -> None:
        _close_and_unlink(self._file, self._path)
        self._file = -1


class TakenFile:
    """A file at *target* with the bytes of an open stored one: ``link`` it, or ``copy_some`` to the end and ``finish``.

    It is not synced: what is taken out of the store can be taken again. ``discard`` ends it in every case.
    """

    def __init__(self, source: int, target: Path) -> None:
        self._source = source
        self._target = target
        self._aside = target.with_name(f".{target.name[:200]}.{os.getpid()}-{source}")
        self._file = -1
        self._copied = 0

    def link(self, tree: Tree, parts: Sequence[str]) -> bool:
        """False where it can't be had, or where the object was replaced since it was opened: copy it."""
        try:
            with tree.directory(parts[:-1]) as parent:
                os.link(parts[-1], self._aside, src_dir_fd=parent, follow_symlinks=False)
        except OSError:
            return False
        if os.path.samestat(os.stat(self._aside), os.fstat(self._source)):
            self.finish()
            return True
        self._aside.unlink()
        return False

    def copy_some(self) -> int:
        """Copy on for a turn; how many bytes, 0 at the end."""
        if self._file < 0:
            self._file = os.open(self._aside, _NEW_FILE, 0o444)
        end = self._copied + TURN
        begun = self._copied
        while self._copied < end and (chunk := os.pread(self._source, CHUNK, self._copied)):
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._file, left) :]
            self._copied += len(chunk)
        return self._copied - begun

    def finish(self) -> None:
        os.replace(self._aside, self._target)

    def discard(self) -> None:
        _close_and_unlink(self._file, self._aside)
        self._file = -1


def _close_and_unlink(file: int, path: Path) -> None:
    if file >= 0:
        os.close(file)
    with suppress(FileNotFoundError):
        path.unlink()
