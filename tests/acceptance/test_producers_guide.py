"""The producers in docs/producers.md, run as they stand there, against RabbitMQ."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aio_pika.abc import AbstractQueue, AbstractRobustChannel

from moviola.video import new_id
from tests.acceptance.systems import Deployment
from tests.acceptance.test_producers import channel, events, put, told
from tests.media.clips import Clip, make

pytestmark = pytest.mark.distributed
__all__ = ["channel", "events"]
GUIDE = Path(__file__).parent.parent.parent / "docs" / "producers.md"


def script(name: str, folder: Path) -> Path:
    """The guide's program that begins with that name, as a reader would save it."""
    programs = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    [program] = [one for one in programs if one.startswith(f"# {name}:")]
    path = folder / name
    path.write_text(program)
    return path


async def run(system: Deployment, path: Path, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(path), system.environment["MOVIOLA_BUS_URL"], key]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)


async def test_the_producer_with_aio_pika_announces_and_is_told_the_end(
    distributed: Deployment, channel: AbstractRobustChannel, tmp_path: Path
) -> None:
    program, key = script("announce.py", tmp_path), f"incoming/default/{new_id()}.mp4"
    missing = await run(distributed, program, key)
    assert (missing.returncode, missing.stdout) == (1, "video.rejected object.not_found\n"), missing.stderr

    put(distributed, key, make(tmp_path / "clip.mp4", Clip(frames=5)).read_bytes())
    done = await run(distributed, program, key)

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "video.uploaded "
    assert lines[-1] == "video.ready "
    assert "video.state_changed probing" in lines


async def test_the_producer_with_pika_announces(
    distributed: Deployment, channel: AbstractRobustChannel, events: AbstractQueue, tmp_path: Path
) -> None:
    key = f"incoming/default/{new_id()}.mp4"
    put(distributed, key, make(tmp_path / "clip.mp4", Clip(frames=5)).read_bytes())

    done = await run(distributed, script("announce_with_pika.py", tmp_path), key)

    assert done.returncode == 0, done.stderr
    _, event = await told(events, "video.uploaded", "video.rejected")
    assert event["submission"] == done.stdout.strip()
    # To its end, which the next test must not take for its own.
    assert (await told(events, "video.ready", "video.failed"))[0].type == "video.ready"
