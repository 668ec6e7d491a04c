"""Private directories for tasks, gone when the task is, whatever became of it.

`{scratch}/{worker}/{nonce}/` is one task's. A worker holds a lock on `{scratch}/{worker}/.lock` for as long as it
lives; the kernel lets go of it even when the worker is killed, so the next worker that starts knows which directories
are nobody's and removes them.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from moviola.errors import TaskFailure

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TaskRoom:
    """One task's directories: ``inputs`` for the worker to fill, ``work`` for the child."""

    inputs: Path
    work: Path


@asynccontextmanager
async def open_scratch(root: Path, worker: str) -> AsyncIterator[Path]:
    """The worker's own directory below *root*, removed on leaving; what dead workers left is removed first."""
    stack = contextlib.ExitStack()
    own = await asyncio.to_thread(stack.enter_context, _own_directory(root, worker))
    try:
        yield own
    finally:
        await asyncio.to_thread(stack.close)


@asynccontextmanager
async def open_room(own: Path, nonce: str) -> AsyncIterator[TaskRoom]:
    """A task's room; ``TaskFailure`` (``storage.no_space``, transient) where there is no space for one."""
    place = own / nonce
    room = TaskRoom(place / "inputs", place / "work")
    try:
        try:
            await asyncio.to_thread(_make, room)
        except OSError as error:
            message = f"The worker can't make a scratch directory: {error.strerror}."
            raise TaskFailure("storage.no_space", message, permanent=False) from error
        yield room
    finally:
        await asyncio.to_thread(_remove_or_tell, place)


def remove_tree(place: Path) -> None:
    """Remove *place* and all below it, also what a child has made unreadable; links are not followed."""
    if not os.path.lexists(place):
        return
    try:
        shutil.rmtree(place)
    except PermissionError:
        _open_up(place)
        shutil.rmtree(place)


def size_of_tree(place: Path) -> int:
    """The bytes that files below *place* take on the disk; links are not followed, what has gone is not counted."""
    size = 0
    for directory, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return size


def _open_up(place: Path) -> None:
    place.chmod(0o700)
    for directory, names, _ in os.walk(place):
        # Before the walk goes down into them.
        for path in (Path(directory, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)


def _remove_or_tell(place: Path) -> None:
    # What is left is removed with the worker's own directory, or by the next worker; the task is over all the same.
    try:
        remove_tree(place)
    except OSError as error:
        log.error("a scratch directory can't be removed", place=str(place), error=str(error))  # noqa: TRY400  # the sentence says it all


def _make(room: TaskRoom) -> None:
    for directory in (room.inputs, room.work):
        directory.mkdir(mode=0o700, parents=True)


@contextmanager
def _own_directory(root: Path, worker: str) -> Iterator[Path]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = root.absolute() / worker
    # Held while a directory has no lock yet, or loses its last one: nobody may judge it meanwhile.
    with _locked(root / ".lock"):
        own.mkdir(mode=0o700)
        held = contextlib.ExitStack()
        held.enter_context(_locked(own / ".lock"))
        _remove_what_dead_workers_left(root, own)
    try:
        yield own
    finally:
        with _locked(root / ".lock"), held:
            _remove_or_tell(own)


def _remove_what_dead_workers_left(root: Path, own: Path) -> None:
    for other in root.iterdir():
        if other.is_dir() and other != own:
            with contextlib.suppress(BlockingIOError), _locked(other / ".lock", wait=False):
                _remove_or_tell(other)


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
