"""Decode a finished file at a few places, or all of it, and say what came out.

Samples begin at key frames, where a picture needs no other one: the first, the last, and some between them.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av.error
from av.audio.frame import AudioFrame
from av.container.input import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine import geometry, opening
from moviola_workers.engine.failures import FFmpegError
from moviola_workers.engine.packet_times import PacketTimes
from moviola_workers.job import Report

PLACES = 5
# So many pictures, or pieces of sound, at each place.
ENOUGH = 3
# A decoder may hold back so many pictures before it gives the first.
PATIENCE = 40
# Of the full scale; below it nobody hears anything.
AUDIBLE = 1e-4


@dataclass(slots=True)
class Decoded:
    """What one stream gave. ``broken`` packets could not be decoded, or not whole; ``silent_places`` gave nothing.

    ``sizes`` are as displayed, in square pixels. ``strict``: a picture that lacks a part counts as broken; else the
    decoder may patch it up.
    """

    frames: int = 0
    broken: int = 0
    places: int = 0
    silent_places: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    channels: set[int] = field(default_factory=set)
    audible: bool = False
    strict: bool = True


def decode_samples(
    path: Path, limits: Limits, index: int, times: PacketTimes, report: Report, *, strict: bool
) -> Decoded:
    """A few pictures, or some sound, at each of a few places of the stream *index*."""
    decoded = Decoded(strict=strict)
    with opening.opened(path, limits) as container:
        stream = _ready(container, index, strict=strict)
        places = _places(times)
        for number, place in enumerate(places):
            before = decoded.frames
            _sample(container, stream, place, decoded)
            decoded.places += 1
            decoded.silent_places += decoded.frames == before
            report((number + 1) / len(places))
    return decoded


def decode_all(path: Path, limits: Limits, index: int, report: Report, *, strict: bool) -> Decoded:
    """All of the stream *index*."""
    decoded = Decoded(places=1, strict=strict)
    with opening.opened(path, limits) as container:
        stream, size = _ready(container, index, strict=strict), max(1, container.size)
        if isinstance(stream, VideoStream):
            stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            _decode(packet, stream, decoded)
            report(min(1.0, packet.pos / size) if packet.pos is not None and packet.size else 1.0)
    decoded.silent_places = int(not decoded.frames)
    return decoded


def _ready(container: InputContainer, index: int, *, strict: bool) -> Stream:
    stream = container.streams[index]
    opening.only(container, stream)
    if isinstance(stream, VideoStream) and strict:
        stream.codec_context.options = {"err_detect": "explode"}
    return stream


def _places(times: PacketTimes) -> Sequence[int]:
    """Times of key frames; the first and the last one are among them."""
    keys = sorted(set(times.keys)) or sorted(times.shown)[:1]
    return sorted({keys[number * (len(keys) - 1) // (PLACES - 1)] for number in range(PLACES)} if keys else ())


def _sample(container: InputContainer, stream: Stream, place: int, decoded: Decoded) -> None:
    wanted = decoded.frames + ENOUGH
    try:
        container.seek(place, stream=stream)
    except FFmpegError:
        decoded.broken += 1
        return
    for number, packet in enumerate(container.demux(stream)):
        _decode(packet, stream, decoded)
        if decoded.frames >= wanted or number >= PATIENCE or not packet.size:
            return


def _decode(packet: "Packet[Stream]", stream: Stream, decoded: Decoded) -> None:
    try:
        frames = packet.decode()
    except (av.error.InvalidDataError, av.error.EOFError):
        decoded.broken += 1
        return
    for frame in frames:
        decoded.frames += 1
        if isinstance(frame, VideoFrame) and isinstance(stream, VideoStream):
            decoded.broken += frame.is_corrupt and decoded.strict
            _see(frame, stream, decoded)
        elif isinstance(frame, AudioFrame):
            _hear(frame, decoded)


def _see(frame: VideoFrame, stream: VideoStream, decoded: Decoded) -> None:
    shape = geometry.pixel_shape(stream.sample_aspect_ratio)
    decoded.sizes.add(geometry.display_size(frame.width, frame.height, shape, geometry.orientation_of(frame)))
    decoded.formats.add(frame.format.name)


def _hear(frame: AudioFrame, decoded: Decoded) -> None:
    decoded.channels.add(frame.layout.nb_channels)
    if decoded.audible or not frame.format.name.startswith("flt"):
        decoded.audible = True
        return
    for plane in frame.planes:
        samples = array("f", bytes(plane))
        decoded.audible = decoded.audible or max(map(abs, samples), default=0.0) > AUDIBLE
