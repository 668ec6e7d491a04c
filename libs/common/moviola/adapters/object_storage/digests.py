"""The SHA-256 of a stored file, computed once and remembered.

The ETag is made of it: it follows from the bytes alone, so it is the same after a restart, on another machine and in
any copy of the directory (size, time and inode number are not). It is remembered in an extended attribute of the file,
together with the size and time that the file had, and is computed anew where the attribute was lost or is out of date.
Where the file system has no attributes it is remembered for the life of the process. Blocking.
"""

import hashlib
import os
from contextlib import suppress

CHUNK = 1 << 20
# A thread's turn: long enough that going there and back costs nothing, short enough for a caller who is cancelled.
TURN = 8 * CHUNK
_ATTRIBUTE = "user.moviola.sha256"
_REMEMBERED = 10_000


class Digests:
    """What is known of the files of one store."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}

    def of(self, file: int) -> str:
        """The SHA-256 of an open file, in hex."""
        found = self._noted(file) or self._known.get(_identity(file))
        if found is None:
            found = sha256_of(file)
            self.note(file, found)
        return found

    def note(self, file: int, sha256: str) -> None:
        """Remember that *sha256* is the open file's."""
        with suppress(OSError):  # no attributes here, or the file is not ours to mark: memory serves
            os.setxattr(file, _ATTRIBUTE, f"{sha256} {_stamp(file)}".encode())
            return
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[_identity(file)] = sha256

    def _noted(self, file: int) -> str | None:
        with suppress(OSError, ValueError):
            sha256, stamp = os.getxattr(file, _ATTRIBUTE).decode().split(" ", 1)
            if stamp == _stamp(file):
                return sha256
        return None


def etag_of(sha256: str) -> str:
    """128 bits are more than enough to tell two versions of one object apart."""
    return sha256[:32]


class RunningDigest:
    """A SHA-256 that grows with what is read or written; ``size`` is how many bytes it has seen."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self.size += len(chunk)

    def read_some(self, file: int) -> int:
        """Read on in an open file for a turn; how many bytes, 0 at the end."""
        begun = self.size
        while self.size < begun + TURN and (chunk := os.pread(file, CHUNK, self.size)):
            self.update(chunk)
        return self.size - begun

    def hex(self) -> str:
        return self._sha256.hexdigest()


def sha256_of(file: int) -> str:
    digest = RunningDigest()
    while digest.read_some(file):
        pass
    return digest.hex()


def _stamp(file: int) -> str:
    facts = os.fstat(file)
    return f"{facts.st_size} {facts.st_mtime_ns}"


def _identity(file: int) -> tuple[int, int, int, int]:
    facts = os.fstat(file)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
