"""An HLS package as others read it: the playlists by a library that isn't ours, the media by Debian's ffmpeg."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8

from moviola_workers.job import JobResult


@dataclass(frozen=True)
class Stretch:
    """A segment's bytes, and its length as the playlist says it."""

    offset: int
    size: int
    seconds: float


@dataclass(frozen=True)
class MediaPlaylist:
    """One file, its head, and the stretches of it that the playlist names."""

    path: Path
    head: bytes
    stretches: tuple[Stretch, ...]
    target: int

    @property
    def bytes(self) -> bytes:
        return self.path.read_bytes()

    def alone(self, stretch: Stretch) -> bytes:
        """What a player has that loads this segment and nothing else."""
        return self.head + self.bytes[stretch.offset : stretch.offset + stretch.size]


def package_of(result: JobResult) -> Path:
    """The directory of the package that a step made."""
    return next(made.path for made in result.made if made.name == "hls/master.m3u8").parent


def master(directory: Path) -> m3u8.M3U8:
    return m3u8.loads((directory / "master.m3u8").read_text())


def media(directory: Path, name: str) -> MediaPlaylist:
    playlist = m3u8.loads((directory / name).read_text())
    (file,) = {segment.uri for segment in playlist.segments}
    (init,) = playlist.segment_map
    assert init.uri == file
    size, start = map(int, init.byterange.split("@"))
    assert start == 0
    assert playlist.is_endlist
    ranges = [tuple(map(int, segment.byterange.split("@"))) for segment in playlist.segments]
    stretches = tuple(
        Stretch(offset, length, segment.duration)
        for (length, offset), segment in zip(ranges, playlist.segments, strict=True)
    )
    path = directory / file
    return MediaPlaylist(path, path.read_bytes()[:size], stretches, playlist.target_duration)


def streams(path: Path | str) -> list[dict[str, Any]]:
    """The streams, frames counted, as Debian's ffprobe sees them; what it complains of is an error."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    found = subprocess.run(command, capture_output=True, check=True, text=True)
    assert found.stderr == ""
    # A master's programmes list their streams again.
    return list(json.loads(found.stdout)["streams"])


def frame_times(path: Path) -> list[Fraction]:
    """When each picture of the first video stream is shown."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    found = subprocess.run([*command, str(path)], capture_output=True, check=True, text=True)
    return [Fraction(line.strip(",")) for line in found.stdout.split()]


def key_times(path: Path) -> list[Fraction]:
    """When each key frame is shown."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"]
    found = subprocess.run([*command, "-of", "csv=p=0", str(path)], capture_output=True, check=True, text=True)
    return [Fraction(line.split(",")[0]) for line in found.stdout.split() if "K" in line.split(",")[1]]


def decoded(data: bytes) -> Iterator[bytes]:
    """The luma of every picture that ffmpeg makes of these bytes, in small."""
    command = ["ffmpeg", "-v", "quiet", "-i", "-", "-map", "0:v:0", "-vsync", "0", "-vf", "scale=16:16,format=gray"]
    out = subprocess.run([*command, "-f", "rawvideo", "-"], input=data, capture_output=True, check=False).stdout
    yield from (out[start : start + 256] for start in range(0, len(out), 256))
