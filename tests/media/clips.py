"""Make small clips whose every frame carries its number in its pixels, and read them back.

A number is written as eight blocks across the picture's middle, bright for one and dark for zero, so that it survives
scaling and encoding. Sounds are silent but for beeps, so that one can hear when something happens.
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.output import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

DARK, BRIGHT = 40, 210
BITS = 8


@dataclass(frozen=True)
class Tone:
    """The sound of a clip: silent, with a beep of 50 ms at each of ``beeps`` (seconds)."""

    codec: str = "aac"
    rate: int = 48000
    layout: str = "stereo"
    beeps: Sequence[float] = ()
    seconds: float | None = None
    start: float = 0.0


@dataclass(frozen=True)
class Clip:
    """What a clip is like. ``times`` are the frames' times in ms (variable rate); None: ``frames`` at ``rate``."""

    frames: int = 50
    rate: int = 25
    width: int = 160
    height: int = 96
    times: Sequence[int] | None = None
    codec: str = "libx264"
    pixels: str = "yuv420p"
    shape: Fraction = Fraction(1)
    rotation: int = 0
    mirrored: bool = False
    gop: int = 12
    b_frames: int = 2
    tone: Tone | None = None
    quarters: bool = False
    transfer: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


def make(path: Path, clip: Clip | None = None) -> Path:
    """Write the clip; the suffix picks the container."""
    clip = clip or Clip()
    with av.open(str(path), "w") as container:
        container.metadata.update(clip.metadata)
        video = _video_stream(container, clip)
        audio = _audio_stream(container, clip.tone) if clip.tone else None
        for number, tick in enumerate(_ticks(clip)):
            frame = quarters(clip) if clip.quarters else numbered(clip, number)
            frame.pts, frame.time_base = tick, Fraction(1, 1000 if clip.times else clip.rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and clip.tone is not None:
            length = clip.tone.seconds or (clip.frames / clip.rate)
            for sound in _sounds(clip.tone, length):
                container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
    return path


def _ticks(clip: Clip) -> Sequence[int]:
    return clip.times if clip.times is not None else range(clip.frames)


def _video_stream(container: OutputContainer, clip: Clip) -> VideoStream:
    options = {"preset": "ultrafast", "bf": str(clip.b_frames), "g": str(clip.gop)} if clip.codec == "libx264" else {}
    stream = container.add_stream(clip.codec, rate=clip.rate, options=options | dict(clip.options))
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pixels
    stream.codec_context.time_base = Fraction(1, 1000 if clip.times else clip.rate)
    stream.codec_context.sample_aspect_ratio = clip.shape
    stream.codec_context.gop_size = clip.gop
    if clip.transfer is not None:
        stream.codec_context.color_trc = clip.transfer
        stream.codec_context.color_primaries = stream.codec_context.colorspace = 9
    if clip.rotation or clip.mirrored:
        stream.set_display_matrix(matrix(clip.rotation, mirrored=clip.mirrored))
    return stream


def matrix(rotation: int, *, mirrored: bool) -> list[int]:
    """The display matrix that flips left to right where ``mirrored``, then turns clockwise."""
    one = 1 << 16
    cosine, sine = round(math.cos(math.radians(rotation))), round(math.sin(math.radians(rotation)))
    flip = -1 if mirrored else 1
    return [one * cosine * flip, one * sine * flip, 0, -one * sine, one * cosine, 0, 0, 0, 1 << 30]


def _audio_stream(container: OutputContainer, tone: Tone) -> AudioStream:
    stream = container.add_stream(tone.codec, rate=tone.rate)
    stream.codec_context.layout = tone.layout
    return stream


def numbered(clip: Clip, number: int) -> VideoFrame:
    """A frame that says its number (mod 256)."""
    row = b"".join(bytes([BRIGHT if number >> bit & 1 else DARK]) * _width(clip.width, bit) for bit in range(BITS))
    return _gray([row] * clip.height, clip)


def _width(width: int, bit: int) -> int:
    return width * (bit + 1) // BITS - width * bit // BITS


def quarters(clip: Clip) -> VideoFrame:
    """Four quarters of falling brightness: upper left, upper right, lower left, lower right."""
    half = clip.width // 2
    upper = bytes([220]) * half + bytes([160]) * (clip.width - half)
    lower = bytes([100]) * half + bytes([40]) * (clip.width - half)
    return _gray([upper] * (clip.height // 2) + [lower] * (clip.height - clip.height // 2), clip)


def _gray(rows: Sequence[bytes], clip: Clip) -> VideoFrame:
    frame = VideoFrame(clip.width, clip.height, "yuv420p")
    luma = frame.planes[0]
    luma.update(b"".join(row.ljust(luma.line_size, b"\x00") for row in rows))
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def _sounds(tone: Tone, seconds: float) -> Iterator[AudioFrame]:
    total, step = round(seconds * tone.rate), 1024
    channels = av.AudioLayout(tone.layout).nb_channels
    for begin in range(0, total, step):
        count = min(step, total - begin)
        values = array("f", (_loudness(tone, (begin + index) / tone.rate) for index in range(count))).tobytes()
        frame = AudioFrame("fltp", tone.layout, count)
        for plane in frame.planes[:channels]:
            plane.update(values)
        frame.sample_rate, frame.time_base = tone.rate, Fraction(1, tone.rate)
        frame.pts = begin + round(tone.start * tone.rate)
        yield frame


def _loudness(tone: Tone, second: float) -> float:
    second += tone.start
    beeping = any(beep <= second < beep + 0.05 for beep in tone.beeps)
    return 0.7 * math.sin(2 * math.pi * 1000 * second) if beeping else 0.0


# Reading back.


@dataclass(frozen=True)
class Shown:
    """A decoded frame: when it is shown (seconds), which number it carries, and its luma."""

    time: Fraction
    number: int
    width: int
    height: int
    luma: tuple[bytes, ...]

    def brightness(self, across: float, down: float) -> int:
        """Luma at a place given as shares of width and height."""
        return self.luma[int(down * self.height)][int(across * self.width)]


def shown(path: Path) -> list[Shown]:
    """All frames of the video, in order."""
    with av.open(str(path)) as container:
        return [_read(frame) for frame in container.decode(container.streams.video[0])]


def _read(frame: VideoFrame) -> Shown:
    plane = frame.planes[0]
    data = bytes(plane)
    rows = tuple(data[row * plane.line_size : row * plane.line_size + frame.width] for row in range(frame.height))
    middle = rows[frame.height // 2]
    centres = [middle[int((bit + 0.5) * frame.width / BITS)] for bit in range(BITS)]
    number = sum(1 << bit for bit, value in enumerate(centres) if value > (DARK + BRIGHT) // 2)
    assert frame.pts is not None
    assert frame.time_base is not None
    return Shown(frame.pts * frame.time_base, number, frame.width, frame.height, rows)


def numbers(path: Path) -> list[int]:
    return [frame.number for frame in shown(path)]


def times(path: Path) -> list[Fraction]:
    return [frame.time for frame in shown(path)]


def beeps(path: Path) -> list[float]:
    """When the sound becomes loud, in seconds."""
    found: list[float] = []
    for second, loud in _loud(path):
        if loud and (not found or second - found[-1] > 0.1):
            found.append(second)
    return found


def _loud(path: Path) -> Iterator[tuple[float, bool]]:
    resampler = av.AudioResampler(format="fltp", layout="mono")
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            for piece in resampler.resample(frame):
                start = float((piece.pts or 0) * (piece.time_base or 0))
                samples = array("f", bytes(piece.planes[0])[: piece.samples * 4])
                for index, value in enumerate(samples):
                    yield start + index / piece.sample_rate, abs(value) > 0.2


def packets(path: Path, kind: str) -> list[tuple[int | None, int | None, bytes]]:
    """Time stamps and bytes of all packets of the first stream of that kind."""
    with av.open(str(path)) as container:
        stream = next(one for one in container.streams if one.type == kind)
        return [(packet.pts, packet.dts, bytes(packet)) for packet in container.demux(stream) if packet.size]
