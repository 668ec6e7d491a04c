"""What Debian's ffmpeg, another build than Moviola's, says of a file. Nothing here knows how Moviola works."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

# Louder than this is a beep; what is quieter for a tenth of a second ends it. With silence behind it, the end of the
# sound is always told as the end of a silence, and not to be taken for a beep.
QUIET = "apad=pad_dur=0.5,silencedetect=noise=0.1:duration=0.1"


@dataclass(frozen=True, slots=True)
class Shown:
    """One decoded picture: when it is shown and for how long, in seconds on the file's own clock."""

    at: float
    lasts: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as the peer decodes it. ``beeps``: when the first sound becomes loud; ``heard`` when it begins."""

    pictures: tuple[Shown, ...]
    beeps: tuple[float, ...]
    heard: float | None
    video: dict[str, Any]
    audio: dict[str, Any] | None
    format: dict[str, Any]
    tags: frozenset[str]

    @property
    def begins(self) -> float:
        return self.pictures[0].at

    @property
    def ends(self) -> float:
        return self.pictures[-1].at + self.pictures[-1].lasts


@cache
def seen(path: Path) -> Seen:
    """Decode all of it; done once for a path."""
    streams = _probed(path, "-show_streams", "-show_format")
    video = _first(streams["streams"], "video")
    audio = _first(streams["streams"], "audio")
    return Seen(
        pictures=_pictures(path),
        beeps=_beeps(path) if audio else (),
        heard=_heard(path) if audio else None,
        video=video or {},
        audio=audio,
        format=streams["format"],
        tags=frozenset(_tags(streams)),
    )


def _probed(path: Path, *wanted: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", *wanted, "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _first(streams: Sequence[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    return next((one for one in streams if one["codec_type"] == kind), None)


def _tags(streams: dict[str, Any]) -> Sequence[str]:
    return [name for one in [streams["format"], *streams["streams"]] for name in one.get("tags", {})]


def _pictures(path: Path) -> tuple[Shown, ...]:
    entries = "frame=best_effort_timestamp_time,pkt_duration_time,width,height"
    frames = _probed(path, "-select_streams", "V:0", "-show_entries", entries)["frames"]
    frames = [frame for frame in frames if "width" in frame]
    times: list[float] = []
    for frame in frames:
        if "best_effort_timestamp_time" in frame:
            times.append(float(frame["best_effort_timestamp_time"]))
        else:  # A bare stream, or the end of an AVI: pictures follow each other.
            times.append(times[-1] + float(frame["pkt_duration_time"]) if times else 0.0)
    usual = median([after - before for before, after in pairwise(times)] or [0.04])
    last = float(frames[-1].get("pkt_duration_time", usual)) if frames else usual
    lengths = [*(after - before for before, after in pairwise(times)), last]
    return tuple(
        Shown(at, lasts, frame["width"], frame["height"])
        for frame, at, lasts in zip(frames, times, lengths, strict=True)
    )


def _heard(path: Path) -> float | None:
    entries = "frame=pts_time"
    frames = _probed(path, "-select_streams", "a:0", "-show_entries", entries, "-read_intervals", "%+#20")["frames"]
    times = [float(frame["pts_time"]) for frame in frames if "pts_time" in frame]
    return min(times) if times else None


def _beeps(path: Path) -> tuple[float, ...]:
    command = [
        "ffmpeg",
        "-hide_banner",
        "-nostdin",
        "-max_error_rate",
        "1",
        "-copyts",
        "-i",
        str(path),
        "-map",
        "0:a:0",
    ]
    command += ["-af", QUIET, "-f", "null", "-"]
    said = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    return tuple(float(found) for found in re.findall(r"silence_end: (-?[\d.]+)", said))[:-1]


def nearness(result: Path, source: Path, chain: str) -> list[float]:
    """PSNR in dB of each picture of *result* against the source's that *chain*, filters of ffmpeg's, gives."""
    graph = (
        f"[0:V:0]settb=AVTB,setpts=N[made];[1:V:0]{chain},format=yuv420p,settb=AVTB,setpts=N[wanted];"
        "[made][wanted]psnr=stats_file=-"
    )
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin"]
    # Without a new graph for another size: it would count pictures from 0 again.
    command += ["-reinit_filter", "0", "-i", str(result), "-reinit_filter", "0", "-i", str(source)]
    command += ["-lavfi", graph, "-fps_mode", "passthrough", "-f", "null", "-"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [min(99.0, float(found)) for found in re.findall(r"psnr_avg:(\S+)", said)]
