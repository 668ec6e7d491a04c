"""The peers: one `ffmpeg` command, and the same work as a chain of commands. The newest ffmpeg that PyPI ships."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg

PRESET = "medium"
QUALITY = 23
START, END = 10, 40
SIZE = (1280, 720)


def command(*arguments: str) -> list[str]:
    """The whole command line, its program first."""
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]


def ffmpeg(*arguments: str) -> float:
    """Run one command; how many seconds it took. ``CalledProcessError`` where it fails."""
    started = time.perf_counter()
    subprocess.run(command(*arguments), check=True)
    return time.perf_counter() - started


def version() -> str:
    return imageio_ffmpeg.get_ffmpeg_version()


def make_clip(clip: Path, seed: Path, *, seconds: int = 60) -> None:
    """*seconds* of 1080p with stereo sound, from a real clip played over and over."""
    ffmpeg(
        *("-stream_loop", "-1", "-i", str(seed), "-t", str(seconds)),
        *("-vf", "scale=1920:1080:flags=lanczos", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18"),
        *("-c:a", "aac", "-ac", "2", "-b:a", "160k", "-movflags", "+faststart", str(clip)),
    )


ENCODE = ("-c:v", "libx264", "-preset", PRESET, "-crf", str(QUALITY), "-pix_fmt", "yuv420p", "-movflags", "+faststart")
LAY = "overlay=W-w-20:H-h-20"


def in_one(clip: Path, logo: Path, result: Path, encode: Sequence[str] = ENCODE) -> tuple[str, ...]:
    """Trim, resize, watermark and mute in one command: the arguments that an expert would type."""
    return (
        *("-ss", str(START), "-to", str(END), "-i", str(clip), "-i", str(logo)),
        *("-filter_complex", f"[0:v]scale={SIZE[0]}:{SIZE[1]}:flags=bicubic[v];[v][1:v]{LAY}"),
        *("-an", *encode, str(result)),
    )


def one_command(clip: Path, logo: Path, result: Path) -> float:
    return ffmpeg(*in_one(clip, logo, result))


def chained_commands(clip: Path, logo: Path, folder: Path) -> float:
    """The same as four commands, each reading what the one before it wrote."""
    steps: Sequence[Sequence[str]] = (
        ("-ss", str(START), "-to", str(END), "-i", str(clip), *ENCODE, "-c:a", "aac"),
        ("-i", str(folder / "0.mp4"), "-vf", f"scale={SIZE[0]}:{SIZE[1]}", *ENCODE, "-c:a", "copy"),
        ("-i", str(folder / "1.mp4"), "-i", str(logo), "-filter_complex", LAY, *ENCODE, "-c:a", "copy"),
        ("-i", str(folder / "2.mp4"), "-an", "-c:v", "copy"),
    )
    return sum(ffmpeg(*step, str(folder / f"{number}.mp4")) for number, step in enumerate(steps))
