"""What is not standard about a file, as warnings with stable codes, and what Moviola does about each."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container.input import InputContainer

from moviola.messages import Limits
from moviola.probe import AudioStream, Probe, VideoStream, Warning
from moviola_workers.engine.opening import NOT_THE_PICTURE
from moviola_workers.engine.truncation import chunks

# Header and packets may differ by this much before it is worth a word.
SLACK = Fraction(1)
# A file that begins this much from 0 has its times shifted.
SHIFTED = 0.25
APART = 0.1
KEPT_LAYOUTS = frozenset({"mono", "stereo", "5.1", "5.1(side)"})
KEPT_CHANNELS = frozenset({1, 2, 6})
PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p"})
TS_PACKETS = (188, 192, 204)
CUES_ID = b"\x1c\x53\xbb\x6b"
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen beside the facts."""

    indexed: bool
    exact_rotation: bool
    hidden: int
    corrupt: int


def oddities(container: InputContainer, facts: Probe, signs: Signs, limits: Limits) -> Iterator[Warning]:
    """In the order of picture, times, sound, file."""
    for code, message in (
        *_picture(facts.video, signs, limits),
        *_times(container, facts, signs),
        *_sounds(facts),
        *_streams(container),
        *_file(facts, signs),
    ):
        yield Warning(code=f"probe.{code}", message=message)


def _picture(video: VideoStream, signs: Signs, limits: Limits) -> Iterator[tuple[str, str]]:
    if video.variable_frame_rate:
        yield "variable_frame_rate", "Frames come at varying intervals; they keep their times."
    if video.frame_rate > limits.max_frame_rate * 1.01:
        yield "high_frame_rate", f"Of {video.frame_rate:g} frames a second, {limits.max_frame_rate:g} are kept."
    if video.width % 2 or video.height % 2:
        yield "odd_size", f"A side of {video.width}×{video.height} is odd; it is made even where it is encoded."
    if video.sample_aspect_ratio not in ("1:1", "0:1"):
        yield "non_square_pixels", f"Pixels are {video.sample_aspect_ratio}; they become square where it is encoded."
    if video.rotation:
        yield "rotated", f"The picture is shown turned by {video.rotation} degrees; it is turned upright."
    if video.mirrored:
        yield "mirrored", "The picture is shown mirrored; it is mirrored where it is encoded."
    if not signs.exact_rotation:
        yield "oblique_rotation", "The picture is turned by no right angle; it is rounded."
    if video.interlaced:
        yield "interlaced", "The picture is interlaced; it is made progressive."
    if video.hdr:
        yield "hdr", f"The picture is HDR ({video.hdr}); the result is standard range."
    if video.pixel_format not in PLAIN_PIXELS:
        yield "pixel_format", f"Pixels are {video.pixel_format}; they become yuv420p where they are encoded."
    if video.open_gops:
        yield "open_gop", "Some key frames are followed by pictures shown before them (open GOPs): no place to cut."


def _times(container: InputContainer, facts: Probe, signs: Signs) -> Iterator[tuple[str, str]]:
    start, seconds = facts.video.start_time + min(0.0, facts.sound_offset or 0.0), facts.duration
    if facts.video.start_time < 0:
        yield (
            "negative_timestamps",
            f"The picture's times begin at {facts.video.start_time:.3f} s; they are moved.",
        )
    elif start > SHIFTED:
        yield "shifted_timestamps", f"The file's times begin at {start:.3f} s; they are moved to 0."
    declared = container.duration / 1_000_000 if container.duration is not None else None
    if declared is not None and abs(declared - seconds) > max(float(SLACK), seconds / 20):
        yield "duration_differs", f"The header says {declared:.3f} s, the picture ends at {seconds:.3f} s."
    if signs.hidden:
        yield "edit_list", f"An edit list hides {signs.hidden} pictures; they stay hidden."
    if facts.sound_offset is not None and abs(facts.sound_offset) > APART:
        side = "after" if facts.sound_offset > 0 else "before"
        yield "sound_offset", f"The sound begins {abs(facts.sound_offset):.3f} s {side} the picture; it stays so."


def _sounds(facts: Probe) -> Iterator[tuple[str, str]]:
    if len(facts.audio) > 1:
        yield "several_sounds", "The file has several sounds; the first one is kept."
    if facts.audio and not _is_usual(facts.audio[0]):
        layout = facts.audio[0].layout or "unknown"
        yield "unusual_layout", f"The sound's layout is {layout}; it is made stereo where it is encoded."


def _is_usual(audio: AudioStream) -> bool:
    return audio.channels in KEPT_CHANNELS and audio.layout in KEPT_LAYOUTS


def _streams(container: InputContainer) -> Iterator[tuple[str, str]]:
    pictures = [stream for stream in container.streams.video if not stream.disposition & NOT_THE_PICTURE]
    if len(pictures) > 1:
        yield "several_pictures", f"The file has {len(pictures)} video streams; one is used."


def _file(facts: Probe, signs: Signs) -> Iterator[tuple[str, str]]:
    if not signs.indexed:
        yield "missing_index", "The file has no index, so that seeking in it means reading it."
    if facts.container == "mpegts" and not any(facts.size % size == 0 for size in TS_PACKETS):
        yield "truncated_tail", "The file ends in the middle of a packet; what is whole is used."
    if signs.corrupt:
        yield "broken_packets", f"{signs.corrupt} packets are marked as damaged; what can be decoded is used."


def has_index(container: InputContainer, path: Path) -> bool:
    """Of containers that should have one, by the file itself: FFmpeg makes up one of the packets that it reads."""
    name = container.format.name
    if name != "avi" and "matroska" not in name:
        return True
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if name == "avi":
            return b"indx" in head or b"idx1" in chunks(file)
        return CUES_ID in head
