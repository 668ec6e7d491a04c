"""An independent look at results, by Debian's ffprobe and ffmpeg."""

import json
import subprocess
from pathlib import Path
from typing import Any


def probe(path: Path | str) -> dict[str, Any]:
    """What ffprobe says of the file: ``format``, and ``streams`` with their frames counted."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_format", "-show_streams", "-of", "json", str(path)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def picture(path: Path) -> dict[str, Any]:
    """The one video stream of the file."""
    (stream,) = [stream for stream in probe(path)["streams"] if stream["codec_type"] == "video"]
    return dict(stream)


def sounds(path: Path) -> list[dict[str, Any]]:
    return [stream for stream in probe(path)["streams"] if stream["codec_type"] == "audio"]


def luma(path: Path, at: float, *, crop: str) -> float:
    """The mean luma, 0 to 255, of the *crop* (ffmpeg's ``w:h:x:y``) of the frame at the second *at*."""
    command = ["ffmpeg", "-v", "error", "-ss", str(at), "-i", str(path), "-frames:v", "1"]
    command += ["-vf", f"crop={crop},scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-"]
    return float(subprocess.run(command, check=True, capture_output=True).stdout[0])


def cues(path: Path) -> list[tuple[float, str]]:
    """Start (seconds) and text of each cue of a WebVTT file, as ffmpeg reads it."""
    command = ["ffmpeg", "-v", "error", "-f", "webvtt", "-i", str(path), "-f", "srt", "-"]
    blocks = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split("\n\n")
    return [(_second(timing), text) for _, timing, text in (block.split("\n") for block in blocks)]


def _second(timing: str) -> float:
    hours, minutes, seconds = timing.split(" --> ")[0].replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
