"""Opening a tree: a place of one's own for unfinished files, none left of processes that died. Blocking."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moviola.adapters.object_storage.local_tree import DIRECTORY, UNFINISHED, Tree
from moviola.video import new_id

_STALE_SECONDS = 24 * 3600.0
_NEW = ".new-"


@contextmanager
def open_tree(root: Path) -> Iterator[Tree]:
    """The tree at *root*, which is made if need be; leftovers of processes that died are cleared away.

    Unfinished files lie in a directory that is locked for as long as its process lives: the kernel lets go of the lock
    however the process ends, and unlike a process id it is never mistaken for another's.
    """
    unfinished = root / UNFINISHED
    unfinished.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(unfinished)
    token = new_id()
    # Under its final name it is locked from the first moment, so that nobody takes it for a leftover.
    new = unfinished / f"{_NEW}{token}"
    new.mkdir()
    held = os.open(new, DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        workshop = new.rename(unfinished / token)
        try:
            yield Tree(root, workshop)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    finally:
        os.close(held)


def _clear_leftovers(unfinished: Path) -> None:
    for entry in unfinished.iterdir():
        if entry.name.startswith(_NEW):
            with suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)
        else:
            _clear_if_dead(entry)


def _clear_if_dead(workshop: Path) -> None:
    try:
        held = os.open(workshop, DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # its process lives
    else:
        shutil.rmtree(workshop, ignore_errors=True)
    finally:
        os.close(held)
