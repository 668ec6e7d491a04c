"""Records that several tests start from; each test changes what it is about."""

from moviola.planner import compile_plan
from moviola.probe import AudioStream, Probe, VideoStream
from moviola.recipe import SHOWCASE
from moviola.video import (
    DEFAULT_TENANT,
    OutputFile,
    Run,
    RunId,
    RunState,
    Task,
    TaskId,
    TaskState,
    VideoId,
    new_id,
    utc_now,
)


def a_probe() -> Probe:
    """A minute of 1080p with sound."""
    return Probe(
        container="mov,mp4",
        size=1000,
        duration=60.0,
        video=VideoStream(
            index=0,
            codec="h264",
            width=1920,
            height=1080,
            display_width=1920,
            display_height=1080,
            pixel_format="yuv420p",
            frame_rate=25.0,
        ),
        audio=(AudioStream(index=1, codec="aac", sample_rate=48000, channels=2),),
    )


def a_run(video_id: VideoId | None = None, *, files: tuple[OutputFile, ...] = ()) -> Run:
    """The first run of a video through the showcase, ready."""
    now = utc_now()
    return Run(
        id=RunId(new_id()),
        video_id=video_id or VideoId(new_id()),
        tenant=DEFAULT_TENANT,
        number=1,
        state=RunState.READY,
        recipe=SHOWCASE,
        plan=compile_plan(SHOWCASE, a_probe()),
        probe=a_probe(),
        files=files,
        created_at=now,
        updated_at=now,
        finished_at=now,
    )


def a_task(run: Run, name: str, state: TaskState) -> Task:
    """The task of a pass, in its first attempt."""
    now = utc_now()
    return Task(
        id=TaskId(new_id()),
        run_id=run.id,
        video_id=run.video_id,
        tenant=run.tenant,
        name=name,
        kind=name,
        state=state,
        started_at=now,
        created_at=now,
    )
