"""A sample clip of our own making, so that there is something to try. Run as a module it makes one: it is a process of
its own, since an encode can't be cancelled inside a thread."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

NAME = "sample.mp4"


@asynccontextmanager
async def offered_sample(directory: Path) -> AsyncIterator[Path]:
    """The path where a sample appears soon, made in the background unless it is there; leaving ends its making."""
    path = directory / NAME
    if path.exists():
        yield path
        return
    maker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moviola_cli.sample", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield path
    finally:
        if maker.returncode is None:
            maker.terminate()
        await maker.wait()


def make(path: Path, *, seconds: float = 10.0) -> None:
    """Make the sample at *path*, which appears whole or not at all."""
    from moviola_workers.engine.sample import make_sample

    half = path.with_name(f".{path.stem}.half{path.suffix}")
    try:
        make_sample(half, seconds=seconds)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _leave_with_parent() -> None:
    """A parent that was killed closes our standard input, and has no more use for a sample."""
    # Not by the buffered reader: a thread inside it aborts the interpreter's shutdown.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # Nobody waits for it, while somebody may already be processing.
    os.nice(10)
    make(Path(sys.argv[1]))
