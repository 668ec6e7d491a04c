"""The file that is written: an mp4 or a webm, its index in front, and nothing of the source's metadata.

Streams are added before the first packet. Place, camera, date and names of the source stay behind on purpose.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags, ThreadType
from av.container.output import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from moviola.output import AudioCodec, Container, Output
from moviola_workers.engine.colour import Colour
from moviola_workers.engine.encoders import MUXERS, NEVER, PICTURES, SOUNDS, Work

# A player that seeks waits for a key frame; so does a later cut without encoding.
KEY_FRAME_SECONDS = 5


class KeyGrid:
    """Which pictures begin a segment: the first one at or after every multiple of ``seconds``."""

    def __init__(self, seconds: Fraction, base: Fraction) -> None:
        self._step = seconds / base
        self._next = Fraction(0)

    def begins(self, tick: int) -> bool:
        """Asked once for each picture, in the order of showing."""
        if tick < self._next:
            return False
        self._next = (tick // self._step + 1) * self._step
        return True


class PictureEncoder:
    """The picture's stream of a file. ``end`` is when the last picture that was taken in ends, in seconds."""

    def __init__(self, stream: VideoStream, grid: KeyGrid | None = None) -> None:
        self._stream = stream
        self._grid = grid
        self._durations: dict[int, int] = {}
        self.end = Fraction(0)

    def encode(self, frame: VideoFrame | None) -> "Iterator[Packet[VideoStream]]":
        """The packets that are ready, each as soon as it is; None flushes, which takes as long as all that waits."""
        if frame is not None:
            # The decoder's choice of frame type would be taken as an order.
            starts = self._grid is not None and self._grid.begins(frame.pts or 0)
            frame.pict_type = PictureType.I if starts else PictureType.NONE
            self._durations[frame.pts or 0] = frame.duration
            self.end = ((frame.pts or 0) + frame.duration) * (frame.time_base or Fraction(1))
        # All at once, what an encoder holds back would come after minutes without a sign of life.
        for packet in self._stream.codec_context.encode_lazy(frame):
            packet.stream = self._stream
            # SVT-AV1 hands on no durations, and the last frame's is known from nowhere else.
            duration = self._durations.pop(packet.pts or 0, 0)
            if not packet.duration:
                packet.duration = duration
            yield packet


class SoundEncoder:
    """The sound's stream of the result; what it encodes is muxed at once. Frames come in ``rate``, ``layout``, fltp."""

    def __init__(self, result: "Result", stream: AudioStream, rate: int, layout: str) -> None:
        self.rate = rate
        self.layout = layout
        self._result = result
        self._stream = stream

    def encode(self, frame: AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._result.mux(packet)


class Result:
    """A file being written. Leaving the block without an error finishes it."""

    def __init__(self, path: Path, container: Container = "mp4", muxer: Mapping[str, str] | None = None) -> None:
        options = dict(MUXERS[container] if muxer is None else muxer)
        self._container: OutputContainer = av.open(
            str(path.absolute()), mode="w", format=container, container_options=options
        )
        self._copies: dict[str, _Copy] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            # A file that is given up need not be finished; the first error is the one to tell.
            if error is None:
                raise

    def mux(self, packet: Packet) -> None:  # type: ignore[type-arg]  # packets of any stream
        copy = self._copies.get(packet.stream.type) if self._copies else None
        if copy is not None:
            # What an encoder has to say in the header is there from here on, for the copy too.
            self._container.start_encoding()
            copy.mux(packet)
        self._container.mux_one(packet)

    def share(self, kind: Literal["video", "audio"], other: "Result") -> None:
        """Let the packets of that kind go to *other* as well, which has no stream yet."""
        self._copies[kind] = _Copy(other)

    def encoded_picture(
        self,
        output: Output,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        colour: Colour,
        threads: int,
        grid: Fraction | None = None,
    ) -> PictureEncoder:
        """The codec asked for, in yuv420p with square pixels. ``time_base`` is the frames' own: an mp4 rounds no
        timestamp, a webm counts milliseconds. With a ``grid`` of seconds the key frames lie on it, and nowhere else.
        """
        codec = PICTURES[output.video_codec]
        options = codec.options(Work(output, *size, threads, on_grid=grid is not None))
        stream = cast(VideoStream, self._container.add_stream(codec.encoder, rate=rate, options=options))
        context = stream.codec_context
        if codec.tag is not None:
            context.codec_tag = codec.tag
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = time_base
        context.sample_aspect_ratio = Fraction(1)
        context.gop_size = max(1, round(rate * KEY_FRAME_SECONDS)) if grid is None else NEVER
        context.color_range, context.colorspace = colour.range, colour.matrix
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.thread_count = threads
        # PyAV's default, threads within a frame, would make x264 cut its frames into slices.
        context.thread_type = ThreadType.FRAME
        context.flags |= Flags.frame_duration
        return PictureEncoder(stream, KeyGrid(grid, time_base) if grid is not None else None)

    def sound(self, rate: int, layout: str, codec: AudioCodec = "aac") -> SoundEncoder:
        """A rate and a layout that the codec has (see ``encoders.sound_form``)."""
        chosen = SOUNDS[codec]
        stream = cast(AudioStream, self._container.add_stream(chosen.encoder, rate=rate))
        stream.codec_context.format = chosen.form
        stream.codec_context.layout = layout
        stream.codec_context.bit_rate = chosen.bit_rates[layout]
        stream.codec_context.time_base = Fraction(1, rate)
        return SoundEncoder(self, stream, rate, layout)

    def copied_stream(self, source: Stream) -> Stream:
        """A stream for the source's packets as they are."""
        stream = self._container.add_stream_from_template(source, opaque=True)
        codec = PICTURES["hevc"]
        is_hevc = source.codec_context.codec.canonical_name == "hevc"
        if codec.tag is not None and self._container.format.name == "mp4" and is_hevc:
            stream.codec_context.codec_tag = codec.tag
        return stream


class _Copy:
    """The same packets in another file, on the same clock."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._stream: Stream | None = None

    def mux(self, packet: Packet) -> None:  # type: ignore[type-arg]  # packets of any stream
        own = packet.stream
        if self._stream is None:
            self._stream = self._result.copied_stream(own)
            # The other file may count more coarsely than its packets do.
            self._stream.time_base = packet.time_base
        packet.stream = self._stream
        self._result.mux(packet)
        packet.stream = own
