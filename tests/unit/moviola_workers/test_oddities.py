"""Every warning about an unusual file, each with a file that is unusual in that way only."""

import random
import struct
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.media.clips import Clip, Tone, make
from tests.unit.moviola_workers.conftest import Bench

CUES = b"\x1c\x53\xbb\x6b"
TEST_PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=2")
Build = Callable[[Path], Path]


def clip(suffix: str, **like: object) -> Build:
    return lambda directory: make(directory / f"clip.{suffix}", Clip(**like))  # type: ignore[arg-type]  # a clip's own


def ffmpeg(suffix: str, *arguments: str) -> Build:
    """Made by FFmpeg's own program; ``{clip}`` and ``{b_frames}`` stand for clips of ours."""

    def build(directory: Path) -> Path:
        names = {"clip": make(directory / "source.mp4", Clip(tone=Tone(), b_frames=0))}
        if any("{b_frames}" in argument for argument in arguments):
            names["b_frames"] = make(directory / "b_frames.mp4", Clip())
        target = directory / f"clip.{suffix}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *(one.format(**names) for one in arguments)]
        subprocess.run([*command, str(target)], check=True, stdin=subprocess.DEVNULL)
        return target

    return build


def changed(build: Build, change: Callable[[bytes], bytes]) -> Build:
    def rebuilt(directory: Path) -> Path:
        path = build(directory)
        path.write_bytes(change(path.read_bytes()))
        return path

    return rebuilt


def with_errors(data: bytes) -> bytes:
    """A transport stream some of whose packets say that they were not received whole (ISO/IEC 13818-1, 2.4.3.3)."""
    broken = bytearray(data)
    picked = random.Random(5).sample(range(40, len(data) // 188 - 40), 3)
    for number in picked:
        broken[number * 188 + 1] |= 0x80
    return bytes(broken)


def without_index(data: bytes) -> bytes:
    """An AVI whose index has another name."""
    return data.replace(b"idx1", b"JUNK").replace(b"indx", b"JUNK")


def with_another_duration(data: bytes) -> bytes:
    """A Matroska whose header says 99 s (RFC 9559: Duration, a float of 8 bytes, in milliseconds)."""
    at = data.index(b"\x44\x89\x88") + 3
    return data[:at] + struct.pack(">d", 99_000.0) + data[at + 8 :]


CASES: dict[str, Build] = {
    "variable_frame_rate": clip("mkv", times=[0, 40, 80, 200, 210, 340, 380, 420, 900]),
    "high_frame_rate": clip("mp4", rate=500, frames=100),
    "odd_size": clip("mkv", width=161, height=97, codec="ffv1", pixels="yuv420p"),
    "non_square_pixels": clip("mp4", shape=Fraction(4, 3)),
    "rotated": clip("mp4", rotation=90),
    "mirrored": clip("mp4", mirrored=True),
    "interlaced": ffmpeg("mkv", *TEST_PICTURES, "-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ilme+ildct"),
    "hdr": clip("mkv", transfer=16),
    "pixel_format": clip("mp4", pixels="yuv444p"),
    "open_gop": ffmpeg("mp4", *TEST_PICTURES, "-c:v", "mpeg2video", "-bf", "2", "-g", "12"),
    # Times of 33 bits that run over: ISO/IEC 13818-1, 2.4.3.7.
    "negative_timestamps": ffmpeg("ts", "-i", "{clip}", "-c", "copy", "-output_ts_offset", "95441.5"),
    "shifted_timestamps": ffmpeg("ts", "-i", "{clip}", "-c", "copy", "-output_ts_offset", "100"),
    "duration_differs": changed(clip("mkv", frames=100), with_another_duration),
    "edit_list": ffmpeg("mp4", "-ss", "0.7", "-i", "{clip}", "-c", "copy", "-an"),
    "sound_offset": clip("mp4", tone=Tone(start=0.5)),
    "several_sounds": ffmpeg("mp4", "-i", "{clip}", "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy"),
    "unusual_layout": clip("mkv", tone=Tone(layout="7.1", codec="pcm_s16le")),
    "several_pictures": ffmpeg("mp4", "-i", "{clip}", "-map", "0:v", "-map", "0:v", "-c", "copy"),
    "missing_index": changed(clip("avi", codec="mpeg4", b_frames=0), without_index),
    "missing_index (Matroska)": changed(clip("mkv"), lambda data: data.replace(CUES, b"\x1c\x53\xbb\x6c")),
    "truncated_tail": changed(clip("ts", b_frames=0), lambda data: data[:-100]),
    "broken_packets": changed(clip("ts"), with_errors),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_what_is_unusual_is_told_by_its_code(bench: Bench, tmp_path: Path, code: str) -> None:
    facts = bench.probe(CASES[code](tmp_path))

    assert [warning.code for warning in facts.warnings] == [f"probe.{code.partition(' ')[0]}"]
    assert facts.warnings[0].message.endswith(".")


def test_a_plain_file_is_warned_of_nothing(bench: Bench, tmp_path: Path) -> None:
    assert bench.probe(make(tmp_path / "clip.mp4", Clip(tone=Tone()))).warnings == ()
