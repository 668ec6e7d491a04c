"""The encoders in the real child, with the memory, the threads and the environment that it has."""

import pytest

from moviola.output import Output
from moviola.plan import Edit
from moviola_workers.child_process import Child, ChildProgram
from moviola_workers.job import Job
from tests.media.clips import Clip, Tone, make, numbers
from tests.unit.moviola_workers_service.workbench import worker_settings


@pytest.mark.parametrize(("codec", "container"), [("h264", "mp4"), ("hevc", "mp4"), ("av1", "mp4"), ("vp9", "webm")])
async def test_each_encoder_works_within_the_limits_and_tells_how_it_gets_on(tmp_path, codec, container):
    source = make(tmp_path / "clip.mp4", Clip(frames=30, width=1920, height=1080, tone=Tone(beeps=(0.5,))))
    output = Output(video_codec=codec, container=container, preset="veryfast")
    edit = Edit(output=output, width=1920, height=1080, duration=1.2)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    job = Job(kind="render", parameters=edit, source=source, scratch=scratch, encoder_threads=2)
    moves = []
    child = await Child.start(ChildProgram(), worker_settings(tmp_path, max_memory_bytes=2 << 30))
    try:
        result = await child.run(job, moves.append)
    finally:
        await child.end()

    assert numbers(result.made[0].path) == list(range(30))
    assert moves
    assert moves == sorted(moves)
