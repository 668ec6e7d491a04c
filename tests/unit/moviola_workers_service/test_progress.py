"""How steadily a child reports: from real frames, wherever the work lies; how often it is told is the worker's."""

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

FRAMES = 50


async def reports(tmp_path: Path, source: Path, edit: Edit) -> list[float]:
    """How far the job was, at each report."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = await Child.start(ChildProgram(), worker_settings(tmp_path))
    told: list[float] = []
    try:
        job = Job(kind="render", parameters=edit, source=source, scratch=scratch, encoder_threads=1)
        await child.run(job, told.append)
    finally:
        await child.end()
    return told


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
        for number in range(FRAMES):
            frame = VideoFrame(240, 144, "gray")
            frame.planes[0].update(chance.randbytes(frame.planes[0].buffer_size))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


async def test_a_slow_preset_is_heard_of_steadily_to_the_last_packet(tmp_path: Path, slow: Edit) -> None:
    values = await reports(tmp_path, grain(tmp_path / "grain.mkv"), slow)

    assert values == sorted(values)
    # Half is for what was fed, half for what was written: the flush has its own share.
    flushed = {done for done in values if 0.5 < done < 1}
    assert len(flushed) > 3
