"""A tree of files beneath a root, entered from the root step by step: no link on the way is ever followed.

Blocking; the caller brings it to a thread. Errors are those of the operating system.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from moviola.adapters.object_storage.keys import components
from moviola.video import new_id

UNFINISHED = ".unfinished"
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Tree:
    """``root`` and, in it, ``workshop``: the directory of this opening's unfinished files."""

    root: Path
    workshop: Path

    @contextmanager
    def directory(self, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the directory; made where it is missing, so that a crash of the machine does not undo it."""
        here = os.open(self.root, DIRECTORY & ~os.O_NOFOLLOW)
        try:
            for part in parts:
                deeper = _enter(here, part, create=create)
                os.close(here)
                here = deeper
            yield here
        finally:
            os.close(here)

    def open(self, parts: Sequence[str]) -> int:
        """A descriptor for reading a regular file; ``FileNotFoundError`` for anything else."""
        try:
            with self.directory(parts[:-1]) as parent:
                file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                raise FileNotFoundError(errno.ENOENT, "no such file", "/".join(parts)) from error
            raise
        if not _is_regular(file):
            os.close(file)
            raise FileNotFoundError(errno.ENOENT, "not a file", "/".join(parts))
        return file

    def unfinished(self) -> Path:
        """A new name for a file that is being written, on the same file system as the tree."""
        return self.workshop / new_id()

    def publish(self, unfinished: Path, parts: Sequence[str]) -> None:
        """Move a finished file into its place at once; when this returns it stays there, whatever crashes."""
        for attempt in range(10):
            try:
                with self.directory(parts[:-1], create=True) as parent:
                    os.replace(unfinished, parts[-1], dst_dir_fd=parent)
                    os.fsync(parent)
                break
            except FileNotFoundError:
                # Somebody who deleted a neighbour took the empty directory away between our two steps.
                if attempt == 9 or not unfinished.exists():
                    raise
        # Two links to one file are not moved onto each other (rename(2)): the old name stays.
        unfinished.unlink(missing_ok=True)

    def walk(self, prefix: str) -> Iterator[str]:
        """The keys of all files that start with *prefix*, in the keys' order; neighbours are not looked at."""
        head, slash, _ = prefix.rpartition("/")
        with suppress(ValueError):  # no key starts like this
            yield from self._walk(prefix, components(head) if slash else ())

    def _walk(self, prefix: str, parts: tuple[str, ...]) -> Iterator[str]:
        for name in self._names(parts):
            path = "/".join((*parts, name))
            if not path.startswith(prefix):
                continue
            if name.endswith("/"):
                yield from self._walk(prefix, (*parts, name[:-1]))
            else:
                yield path

    def _names(self, parts: tuple[str, ...]) -> list[str]:
        """Names in a directory in the order of the keys behind them: a directory sorts with its slash."""
        with suppress(FileNotFoundError, NotADirectoryError), self.directory(parts) as here, os.scandir(here) as found:
            names = [
                entry.name + "/" * entry.is_dir(follow_symlinks=False)
                for entry in found
                if not entry.is_symlink() and (parts or entry.name != UNFINISHED)
            ]
            # UTF-8 sorts as code points do, and Python compares strings by them.
            return sorted(names)
        return []

    def remove(self, parts: Sequence[str]) -> bool:
        """Delete a file and the directories that it leaves empty; False where it was gone already."""
        try:
            with self.directory(parts[:-1]) as parent:
                os.unlink(parts[-1], dir_fd=parent)
        except FileNotFoundError:
            return False
        self.prune(parts[:-1])
        return True

    def prune(self, parts: Sequence[str]) -> None:
        """Take away a directory and its parents for as long as they are empty."""
        for depth in range(len(parts), 0, -1):
            try:
                with self.directory(parts[: depth - 1]) as parent:
                    os.rmdir(parts[depth - 1], dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                if error.errno != errno.ENOENT:
                    raise


def _enter(parent: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
            os.fsync(parent)
    return os.open(name, DIRECTORY, dir_fd=parent)


def _is_regular(file: int) -> bool:
    return os.stat(file).st_mode & 0o170000 == 0o100000
