"""How steadily a child reports: from real frames, at least twice a second, wherever the work lies."""

import time
from itertools import pairwise
from pathlib import Path
from random import Random

import av
import pytest
from av.video.frame import VideoFrame

from moviola.plan import Edit
from moviola.recipe import Output
from moviola_workers.child_process import Child, ChildProgram
from moviola_workers.job import Job
from tests.unit.moviola_workers_service.workbench import worker_settings

OFTEN_ENOUGH = 0.5


async def reports(tmp_path: Path, source: Path, edit: Edit) -> list[tuple[float, float]]:
    """Seconds since the start, and how far the job was, of each report; the last one is the end's."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = await Child.start(ChildProgram(), worker_settings(tmp_path))
    told: list[tuple[float, float]] = []
    begun = time.monotonic()
    try:
        job = Job(kind="render", parameters=edit, source=source, scratch=scratch, encoder_threads=1)
        await child.run(job, lambda done: told.append((time.monotonic() - begun, done)))
    finally:
        await child.end()
    return [*told, (time.monotonic() - begun, 1.0)]


def longest_pause(told: list[tuple[float, float]]) -> float:
    return max(later - earlier for (earlier, _), (later, _) in pairwise([(0.0, 0.0), *told]))


@pytest.fixture
def slow(tmp_path: Path) -> Edit:
    """An encode that looks 60 frames ahead: most of it happens when all frames have been fed."""
    return Edit(output=Output(preset="veryslow", quality=18), width=240, height=144, duration=2.0)


def grain(path: Path) -> Path:
    """Fifty frames that no encoder makes short work of."""
    chance = Random(7)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 240, 144, "gray"
        for number in range(50):
            frame = VideoFrame(240, 144, "gray")
            frame.planes[0].update(chance.randbytes(frame.planes[0].buffer_size))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


async def test_a_slow_preset_is_heard_of_steadily_to_the_last_packet(tmp_path: Path, slow: Edit) -> None:
    told = await reports(tmp_path, grain(tmp_path / "grain.mkv"), slow)

    values = [done for _, done in told]
    assert told[-1][0] > 3 * OFTEN_ENOUGH
    assert longest_pause(told) < OFTEN_ENOUGH
    assert values == sorted(values)
    # Half is for what was fed, half for what was written: the flush has its own share.
    flushing = [done for done in values if 0.5 < done < 1]
    assert len(flushing) > 3
