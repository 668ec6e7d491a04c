"""A worker as a process: signals, and what is left of it."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moviola_workers.scratch import open_scratch
from tests.unit.moviola_workers_service.workbench import appears, gone, worker_settings

ROOT = Path(__file__).parents[3]

SERVICE = """
import asyncio
from moviola.settings import Settings
from moviola_workers.serve import serve
asyncio.run(serve(Settings(log_format="json"), ["probe"]))
"""

# A service that never gets to its end, since what it stands on does not close.
HELD = """
import asyncio, importlib, sys
from contextlib import asynccontextmanager
from moviola.settings import Settings
service = importlib.import_module(sys.argv[1])
opened = service.open_infrastructure

@asynccontextmanager
async def held(settings, **parts):
    async with opened(settings, **parts) as infrastructure:
        yield infrastructure
        await asyncio.Event().wait()

service.open_infrastructure = held

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(service.serve(Settings(log_format="json")))
        await asyncio.sleep(1)
        print("held", file=sys.stderr, flush=True)

asyncio.run(main())
"""

# A worker in the midst of a task; the real service's signals, the tests' own bus and steps.
BUSY = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, "")
from moviola.telemetry import configure_logging
from moviola.stopping import stop_on_signals
from tests.unit.moviola_workers_service.workbench import open_bench

async def main(place):
    async with open_bench(place, drain_seconds=60.0) as bench:
        configure_logging(bench.settings, "worker")
        stop_on_signals(bench.stopping)
        await bench.send(await bench.task(f"hang {place / 'ready'}"))
        await bench.run_worker()

asyncio.run(main(Path(sys.argv[1])))
"""


@asynccontextmanager
async def process(script, *arguments, **environment):
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def line_with(running, word):
    async with asyncio.timeout(20):
        while word not in (line := await running.stderr.readline()):
            assert line, f"it ended without a line with {word!r}"
    return line


async def test_service_says_what_confines_it_and_ends_with_0_at_a_sigterm(tmp_path):
    async with process(SERVICE, MOVIOLA_DATA_DIR=str(tmp_path)) as running:
        line = await line_with(running, b"sandbox in force")
        assert b"memory limit" in line
        assert b"not_available" in line
        running.terminate()
        async with asyncio.timeout(50):
            assert await running.wait() == 0
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [".lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_second_signal_exits_at_once_and_the_child_goes_too(tmp_path, number):
    async with process(BUSY, tmp_path) as running:
        child = int(await appears(tmp_path / "ready"))
        running.send_signal(number)
        await line_with(running, b"stops taking tasks")
        running.send_signal(number)
        async with asyncio.timeout(50):
            assert await running.wait() == 128 + number
        await gone(child)


@pytest.mark.parametrize("service", ["moviola_api.serve", "moviola_orchestrator.serve"])
async def test_every_service_exits_at_once_at_a_second_signal(tmp_path, service):
    # With a loop that is held up it can't stop by itself; SIGTERM waits for it, the second one doesn't.
    async with process(HELD, service, MOVIOLA_DATA_DIR=str(tmp_path), MOVIOLA_PORT="0") as running:
        await line_with(running, b"held")
        for _ in range(2):
            running.terminate()
            await asyncio.sleep(0.2)  # two signals at once may be one
        async with asyncio.timeout(20):
            assert await running.wait() == 128 + signal.SIGTERM


async def test_what_a_killed_worker_left_is_removed_by_the_next_one(tmp_path):
    async with process(BUSY, tmp_path) as running:
        child = int(await appears(tmp_path / "ready"))
        running.kill()
        await running.wait()
        await gone(child)
    scratch = worker_settings(tmp_path).scratch_path()
    assert list(scratch.glob("*/*/inputs/source"))
    async with open_scratch(scratch, "the next one"):
        assert list(scratch.glob("*/*/inputs/source")) == []
