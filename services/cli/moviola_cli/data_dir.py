"""The data directory of an embedded system: made when it is missing, and held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moviola_cli.outcome import BadUse

LOCK = "moviola.lock"


@contextmanager
def held_data_dir(path: Path) -> Iterator[Path]:
    """Make *path* and hold it until leaving; ``BadUse`` where another process holds it, or it can't be written.

    The lock goes with the process, however that ends.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadUse(
            f"The data directory {path} can't be used: {error.strerror}. Choose another --data-dir."
        ) from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = lock.read().strip() or "unknown"
            raise BadUse(
                f"Another Moviola (process {holder}) runs on {path}; stop it or choose another --data-dir."
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield path
