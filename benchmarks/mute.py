"""A file of 1 GiB loses its sound: packets are copied, by the engine and by `ffmpeg -c copy -an`."""

from pathlib import Path

from benchmarks import passes, peers, usage
from benchmarks.passes import only_pass
from benchmarks.report import Ratio, Row, Section
from moviola_workers.job import Job

GIB = 1024**3


def make_file(path: Path, seed: Path) -> None:
    """At least 1 GiB of H.264 and AAC: a real clip, encoded large, over and over."""
    part = path.with_name("part.mp4")
    peers.ffmpeg(
        *("-i", str(seed), "-t", "5", "-vf", "scale=1920:1080", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-b:v", "60M", "-minrate", "60M", "-maxrate", "60M", "-bufsize", "60M", "-x264-params", "nal-hrd=cbr"),
        *("-c:a", "aac", "-ac", "2", str(part)),
    )
    times = GIB // part.stat().st_size + 1
    peers.ffmpeg("-stream_loop", str(times), "-i", str(part), "-c", "copy", "-movflags", "+faststart", str(path))
    part.unlink()


def measure(folder: Path, seed: Path, *, runs: int) -> Section:
    source = folder / "large.mp4"
    make_file(source, seed)
    size = source.stat().st_size
    job = _job(source, folder)
    ours, peer = [], []
    peers_arguments = ("-i", str(source), "-map", "0:v", "-c", "copy", "-an", "-movflags", "+faststart")
    for _ in range(runs):
        ours.append(passes.run(job, folder))
        peer.append(usage.run(peers.command(*peers_arguments, str(folder / "peer.mp4"))))
    source.unlink()
    rows = [
        Row("engine: wall", [cost.wall for cost in ours]),
        Row("`ffmpeg -c copy -an`: wall", [cost.wall for cost in peer]),
        Row("engine: peak memory", [cost.peak for cost in ours], "MiB"),
        Row("`ffmpeg -c copy -an`: peak memory", [cost.peak for cost in peer], "MiB"),
    ]
    return Section(
        title="Mute",
        work=(
            f"{size / GIB:.2f} GiB of 1080p H.264 + AAC lose their sound, the index in front (`+faststart`): the "
            "engine, a Python process from its start to its end, against ffmpeg. The engine's peak memory has to "
            "stay below 150 MB."
        ),
        rows=rows,
        ratios=[Ratio("wall, engine / `ffmpeg`", rows[0], rows[1], "≤ 1.5×")],
    )


def _job(source: Path, folder: Path) -> Job:
    one = only_pass({"steps": [{"step": "mute"}]}, source, folder)
    if one.lossy:
        raise RuntimeError("the plan encodes")
    return Job(kind=one.kind, parameters=one.parameters, source=source, scratch=folder, files=("muted.mp4",))
