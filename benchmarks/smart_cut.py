"""A trim by smart cut against the same trim with all of it encoded, both by the engine; and is the middle untouched?"""

import hashlib
import time
from pathlib import Path

import av

from benchmarks import peers
from benchmarks.passes import only_pass
from benchmarks.report import Ratio, Row, Section
from moviola.plan import Edit, Pass
from moviola_workers.job import Job
from moviola_workers.steps.table import STEPS

# At odd times, so that both borders have to be encoded.
START, END = 10.3, 40.3
SECONDS = 60


def measure(folder: Path, seed: Path, *, runs: int) -> Section:
    clip = folder / "long.mp4"
    peers.make_clip(clip, seed, seconds=SECONDS)
    one = _planned(clip, folder)
    smart, anew = [], []
    for _ in range(runs):
        smart.append(_edited(one, clip, folder / "smart", smart=True))
        anew.append(_edited(one, clip, folder / "anew", smart=False))
    same, total = _identical(clip, folder / "smart" / "result.mp4")
    rows = [Row("smart cut", smart), Row("everything encoded", anew)]
    return Section(
        title="Smart cut",
        work=(
            "30 s out of 60 s of 1080p (Big Buck Bunny, scaled up and looped; H.264 + AAC), from 10.3 s to 40.3 s, by "
            f"the engine in one process: whole groups of pictures copied, against all encoded (x264 `{peers.PRESET}`, "
            f"CRF {peers.QUALITY}). Both cut and encode the sound. The plan said: at most "
            f"{one.encoded_seconds:.2f} s of the picture encoded anew."
        ),
        rows=rows,
        ratios=[Ratio("smart cut / everything encoded", rows[0], rows[1], "≤ 0.15×")],
        remarks=f"{same} of {total} decoded pictures are bit for bit those of the source at the same time.",
    )


def _planned(clip: Path, folder: Path) -> Pass:
    recipe: dict[str, object] = {
        "steps": [{"step": "trim", "start": START, "end": END}],
        "output": {"quality": peers.QUALITY, "preset": peers.PRESET},
    }
    one = only_pass(recipe, clip, folder)
    if one.encoded_seconds is None:
        raise RuntimeError("the plan has no smart cut")
    return one


def _edited(one: Pass, clip: Path, folder: Path, *, smart: bool) -> float:
    """Seconds for the pass, by copying or by encoding all."""
    if not isinstance(one.parameters, Edit):
        raise TypeError("the pass is no edit")
    folder.mkdir(exist_ok=True)
    edit = one.parameters.model_copy(update={"smart_cut": smart})
    job = Job(kind=one.kind, parameters=edit, source=clip, scratch=folder)
    began = time.perf_counter()
    result = STEPS[one.kind](job, lambda _: None)
    seconds = time.perf_counter() - began
    if result.remarks:
        raise RuntimeError(f"the smart cut was not made: {result.remarks}")
    return seconds


def _identical(clip: Path, result: Path) -> tuple[int, int]:
    """How many pictures of the result are the source's of the same place, and how many there are."""
    made, source = _hashes(result, 0.0), _hashes(clip, START)
    return sum(a == b for a, b in zip(made, source, strict=False)), len(made)


def _hashes(path: Path, start: float) -> list[str]:
    """The SHA-256 of each decoded picture from that second on."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [_hash(frame) for frame in frames if frame.time is not None and frame.time >= start - 1e-6]


def _hash(frame: av.VideoFrame) -> str:
    return hashlib.sha256(b"".join(bytes(plane) for plane in frame.planes)).hexdigest()
