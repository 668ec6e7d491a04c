"""The encoders in the real child, with the memory, the threads and the environment that it has."""

import pytest

from moviola.errors import TaskFailure
from moviola.ladder import ladder_of
from moviola.messages import Limits
from moviola.output import Output
from moviola.packaging import Package
from moviola.plan import Edit
from moviola.plan import Package as PackageWork
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


@pytest.mark.parametrize("codec", ["h264", "av1"])
async def test_a_ladder_of_encoders_works_within_the_limits(tmp_path, codec):
    source = make(tmp_path / "clip.mp4", Clip(frames=30, width=1280, height=720, tone=Tone(beeps=(0.5,))))
    output = Output(video_codec=codec, preset="ultrafast")
    ladder, _ = ladder_of(Package(segment_seconds=1.0), (1280, 720), output)
    edit = Edit(output=output, width=1280, height=720, duration=1.2)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    parameters = PackageWork(edit=edit, ladder=ladder.model_copy(update={"sound": True}))
    job = Job(kind="package", parameters=parameters, source=source, scratch=scratch, encoder_threads=8)
    moves = []
    child = await Child.start(ChildProgram(), worker_settings(tmp_path, max_memory_bytes=3 << 30))
    try:
        result = await child.run(job, moves.append)
    finally:
        await child.end()

    files = {made.name: made.path for made in result.made}
    assert tuple(files) == parameters.ladder.files
    assert [rung.name for rung in ladder.rungs] == ["720p", "480p", "360p", "240p"]
    assert all(numbers(files[f"hls/{rung.name}.mp4"]) == list(range(30)) for rung in ladder.rungs)
    assert moves == sorted(moves)


async def test_a_rendition_larger_than_a_file_may_be_is_a_failure_with_a_code(tmp_path):
    source = make(tmp_path / "clip.mp4", Clip(frames=50, width=640, height=360, options=(("crf", "51"),)))
    lossless = Output(quality=0, preset="ultrafast")
    ladder, _ = ladder_of(Package(), (640, 360), lossless)
    edit = Edit(output=lossless, width=640, height=360, duration=2.0)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    job = Job(
        kind="package",
        parameters=PackageWork(edit=edit, ladder=ladder),
        source=source,
        scratch=scratch,
        limits=Limits(max_bytes=source.stat().st_size),
    )
    child = await Child.start(ChildProgram(), worker_settings(tmp_path))
    try:
        with pytest.raises(TaskFailure) as failed:
            await child.run(job, lambda _: None)
    finally:
        await child.end()
    assert failed.value.code == "worker.output_too_large"
