"""What the tests of the worker service share: steps of their own, settings with short times, a bus that can fail."""

import asyncio
import os
from pathlib import Path

from moviola.settings import Settings
from moviola_workers.child_process import ChildProgram

HERE = Path(__file__).parent
PROGRAM = ChildProgram("child_steps", (str(HERE),))


def worker_settings(place: Path, **changes: object) -> Settings:
    times = {"heartbeat_seconds": 0.1, "progress_seconds": 0.05, "drain_seconds": 10.0}
    return Settings(data_dir=place / "data", **{**times, **changes})


async def gone(pid: int) -> None:
    """Return when the process *pid*, which need not be ours, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
