"""The engine's fused pass against one `ffmpeg` command: time, processor, memory; and against a chain: quality."""

import re
import subprocess
from pathlib import Path

from benchmarks import four_steps, passes, peers, usage
from benchmarks.passes import only_pass
from benchmarks.report import Ratio, Row, Section
from benchmarks.usage import Usage
from moviola_workers.job import Job

# The same result without any loss: what an encode of the filtered source can come near to.
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")


def measure(folder: Path, seed: Path, *, runs: int) -> tuple[Section, Section]:
    clip, logo = folder / "clip.mp4", folder / "logo.png"
    peers.make_clip(clip, seed)
    four_steps.make_logo(logo)
    job = _job(clip, logo, folder)
    ours, one = [], []
    for _ in range(runs):
        ours.append(passes.run(job, folder))
        one.append(usage.run(peers.command(*peers.in_one(clip, logo, folder / "one.mp4"))))
    peers.chained_commands(clip, logo, folder)
    peers.ffmpeg(*peers.in_one(clip, logo, folder / "ideal.mp4", LOSSLESS))
    return _costs(ours, one), _qualities(folder)


def _job(clip: Path, logo: Path, folder: Path) -> Job:
    one = only_pass(four_steps.RECIPE, clip, folder)
    images = {"watermark": logo}
    return Job(
        kind=one.kind, parameters=one.parameters, source=clip, scratch=folder, files=("ours.mp4",), resources=images
    )


def _costs(ours: list[Usage], one: list[Usage]) -> Section:
    rows = [
        Row("engine: wall", [cost.wall for cost in ours]),
        Row("`ffmpeg`: wall", [cost.wall for cost in one]),
        Row("engine: processor", [cost.processor for cost in ours]),
        Row("`ffmpeg`: processor", [cost.processor for cost in one]),
        Row("engine: peak memory", [cost.peak for cost in ours], "MiB"),
        Row("`ffmpeg`: peak memory", [cost.peak for cost in one], "MiB"),
    ]
    return Section(
        title="The fused pass alone",
        work=(
            "The same work as above by the engine alone, a Python process from its start to its end, against one "
            f"command of ffmpeg {peers.version()}: same preset, CRF and number of threads (both let x264 choose)."
        ),
        rows=rows,
        ratios=[
            Ratio("wall, engine / `ffmpeg`", rows[0], rows[1], "≤ 1.05×"),
            Ratio("processor, engine / `ffmpeg`", rows[2], rows[3], "≤ 1.05×"),
            Ratio("peak memory, engine / `ffmpeg`", rows[4], rows[5], "≤ 1.2×"),
        ],
    )


def _qualities(folder: Path) -> Section:
    names = {"Moviola, one generation": "ours.mp4", "one command": "one.mp4", "four chained commands": "3.mp4"}
    rows = []
    for name, file in names.items():
        rows.append(Row(f"{name}: SSIM", [_compared("ssim", folder / file, folder / "ideal.mp4")], "of 1", 4))
        rows.append(Row(f"{name}: PSNR", [_compared("psnr", folder / file, folder / "ideal.mp4")], "dB"))
        rows.append(Row(f"{name}: size", [(folder / file).stat().st_size / 1e6], "MB"))
    return Section(
        title="What is left of the picture",
        work=(
            "The results of the work above, each compared by ffmpeg's `ssim` and `psnr` with the ideal: the source "
            "filtered in the same way and kept without loss. The chain encodes three times and copies once."
        ),
        rows=rows,
    )


def _compared(measure: str, result: Path, ideal: Path) -> float:
    """Over all frames and planes; higher is nearer."""
    inputs = ("-i", str(result), "-i", str(ideal))
    graph = f"[0:v]settb=AVTB,setpts=N[a];[1:v]settb=AVTB,setpts=N[b];[a][b]{measure}"
    command = [*peers.command(*inputs, "-filter_complex", graph, "-f", "null", "-"), "-loglevel", "info"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.search(r"All:([0-9.]+)" if measure == "ssim" else r"average:([0-9.]+)", said)
    if found is None:
        raise RuntimeError(f"ffmpeg said nothing of {measure}: {said[-400:]}")
    return float(found[1])
