"""The mp4 that is written: H.264 and AAC, its index in front, and nothing of the source's metadata.

Streams are added before the first packet. Place, camera, date and names of the source stay behind on purpose.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

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

from moviola.recipe import Output
from moviola_workers.engine.colour import Colour

# The index in front, so that playing starts before all is loaded; written by a second pass over the file.
MUXER = {"movflags": "+faststart"}
# A player that seeks waits for a key frame; so does a later cut without encoding.
KEY_FRAME_SECONDS = 5
AAC_RATES = frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000})
AAC_LAYOUTS = {1: "mono", 6: "5.1"}
AAC_BIT_RATES = {"mono": 96_000, "stereo": 160_000, "5.1": 384_000}


class PictureEncoder:
    """One H.264 stream of the result."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream

    def encode(self, frame: VideoFrame | None) -> "Iterator[Packet[VideoStream]]":
        """The packets that are ready, each as soon as it is; None flushes, which takes as long as all that waits."""
        if frame is not None:
            # The decoder's choice of frame type would be taken as an order.
            frame.pict_type = PictureType.NONE
        for packet in self._stream.codec_context.encode_lazy(frame):
            packet.stream = self._stream
            yield packet


class SoundEncoder:
    """One AAC stream of the result; what it encodes is muxed at once. Frames come in ``rate``, ``layout`` and fltp."""

    def __init__(self, result: "Result", stream: AudioStream, rate: int, layout: str) -> None:
        self.rate = rate
        self.layout = layout
        self._result = result
        self._stream = stream

    def encode(self, frame: AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._result.mux(packet)


class Result:
    """An mp4 being written. Leaving the block without an error finishes the file."""

    def __init__(self, path: Path) -> None:
        self._container: OutputContainer = av.open(
            str(path.absolute()), mode="w", format="mp4", container_options=MUXER
        )

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
        self._container.mux_one(packet)

    def encoded_picture(
        self,
        output: Output,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        colour: Colour,
        threads: int,
    ) -> PictureEncoder:
        """H.264 in yuv420p with square pixels. ``time_base`` is the frames' own, so that no timestamp is rounded."""
        options = {"preset": output.preset, "crf": str(output.quality)}
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = time_base
        context.sample_aspect_ratio = Fraction(1)
        context.gop_size = max(1, round(rate * KEY_FRAME_SECONDS))
        context.color_range, context.colorspace = colour.range, colour.matrix
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.thread_count = threads
        # PyAV's default, threads within a frame, would make x264 cut its frames into slices.
        context.thread_type = ThreadType.FRAME
        context.flags |= Flags.frame_duration
        return PictureEncoder(stream)

    def encoded_sound(self, source: AudioStream) -> SoundEncoder:
        """AAC in the source's rate and layout where AAC has them; mono and 5.1 are kept, all others become stereo."""
        rate = source.codec_context.sample_rate if source.codec_context.sample_rate in AAC_RATES else 48000
        return self.sound(rate, AAC_LAYOUTS.get(source.codec_context.channels, "stereo"))

    def sound(self, rate: int, layout: str) -> SoundEncoder:
        """AAC in one of the rates and layouts above."""
        stream = self._container.add_stream("aac", rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.bit_rate = AAC_BIT_RATES[layout]
        stream.codec_context.time_base = Fraction(1, rate)
        return SoundEncoder(self, stream, rate, layout)

    def copied_stream(self, source: Stream) -> Stream:
        """A stream for the source's packets as they are."""
        return self._container.add_stream_from_template(source, opaque=True)
