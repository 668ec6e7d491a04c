"""Frames of one stream, from a time on, in the order in which they are shown."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container.input import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine import opening
from moviola_workers.engine.failures import FFmpegError, refused

S = TypeVar("S", VideoStream, AudioStream)
F = TypeVar("F", VideoFrame, AudioFrame)

# Where a seek lands behind the time that was asked for, it is tried again this many seconds earlier.
BACK = (Fraction(0), Fraction(1), Fraction(5))
KEY_BACK = (Fraction(0), Fraction(1), Fraction(5), Fraction(20))
# Packets that are looked at to find a key frame.
MOST_SEARCHED = 2000
# Frames before the first key frame after a seek lack their references.
MOST_ORPHANS = 64
# Broken packets: a few are concealed by the decoder; more than this share, beyond the first few, is no video.
TOLERATED = 8
TOLERATED_SHARE = 0.1
# Sound may go on for a while when the picture has ended.
SLACK_SECONDS = 60


class _Reader(Generic[S, F]):
    """One stream of one file, decoded. Not to be used from two threads at once.

    ``frames`` may be called again and again, each time from another place. Frames come with a ``pts`` in the stream's
    time base; what the file left out is mended.
    """

    stream: S
    container: InputContainer

    def __init__(self, path: Path, limits: Limits, *, threads: int = 0) -> None:
        self._path = path
        self._limits = limits
        self._threads = threads
        self._stack = ExitStack()
        self._fresh = False
        self._packets = 0
        self._broken = 0
        self._open()

    def _chosen(self) -> S:
        """The stream to read, its decoder made ready."""
        raise NotImplementedError

    def _usable(self, frames: Iterator[F]) -> Iterator[F]:
        """What is fit to be shown of the frames after a seek."""
        return frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def time_base(self) -> Fraction:
        return self.stream.time_base or Fraction(1, 1000)

    def _open(self) -> None:
        self._stack.close()
        self.container = self._stack.enter_context(opening.opened(self._path, self._limits))
        self.stream = self._chosen()
        opening.only(self.container, self.stream)
        self._fresh = True

    def _count(self, number: int, frame: F) -> None:
        """Refuse *frame*, the one of that *number* since the seek, where no file within the limits has so much."""
        raise NotImplementedError

    def frames(self, tick: int | None = None) -> Iterator[F]:
        """All frames from the one shown at ``tick`` (or earlier) to the end; None: from the beginning.

        Counted as they come, shown or not: ``media.too_many_frames``, ``media.too_long``.
        """
        last: int | None = None
        for number, frame in enumerate(self._from_beginning() if tick is None else self._from(tick), start=1):
            self._count(number, frame)
            position = frame.pts if frame.pts is not None else frame.dts
            if position is None:
                position = 0 if last is None else last + max(1, frame.duration)
            frame.pts = last = position
            yield frame

    def _from_beginning(self) -> Iterator[F]:
        if not self._fresh:
            self._open()
        self._fresh = False
        return self._decoded()

    def _from(self, tick: int) -> Iterator[F]:
        for back in BACK:
            target = tick - int(back / self.time_base)
            if target <= (self.stream.start_time or 0):
                break
            frames = self._sought(target)
            first = next(frames, None)
            if first is not None and first.pts is not None and first.pts <= tick:
                return _chained(first, frames)
        return self._from_beginning()

    def _sought(self, tick: int) -> Iterator[F]:
        self._fresh = False
        try:
            self.container.seek(tick, stream=self.stream)
        except FFmpegError:
            return iter(())  # No index and none to be had: reading from the beginning is what is left.
        return self._usable(self._decoded())

    def _decoded(self) -> Iterator[F]:
        for packet in self._demuxed():
            self._packets += packet.size > 0
            try:
                frames = self._decode(packet)
            except (av.error.InvalidDataError, av.error.EOFError):
                self._count_broken()
                continue
            yield from frames

    def _decode(self, packet: "Packet[S]") -> list[F]:
        raise NotImplementedError

    def _demuxed(self) -> "Iterator[Packet[S]]":
        """Packets to the end, and the last empty one, which flushes the decoder.

        A gap that can't be read is passed over, and so are packets that hold nothing (Ogg has them).
        """
        empty: Packet[S] | None = None
        while True:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:
                        yield packet
                    else:
                        empty = packet
            except av.error.InvalidDataError:
                self._count_broken()
            else:
                break
        if empty is not None:
            yield empty

    def _count_broken(self) -> None:
        self._broken += 1
        if self._broken > TOLERATED and self._broken > TOLERATED_SHARE * self._packets:
            raise refused("media.corrupt", f"{self._broken} of {self._packets} packets read so far are broken.")


class PictureReader(_Reader[VideoStream, VideoFrame]):
    """The main video stream; frames in the order of showing, each later than the one before."""

    def _chosen(self) -> VideoStream:
        stream = opening.main_video(self.container, self._limits)
        stream.codec_context.thread_type = ThreadType.AUTO
        stream.codec_context.thread_count = self._threads
        return stream

    def _decode(self, packet: "Packet[VideoStream]") -> list[VideoFrame]:
        return packet.decode()

    def _count(self, number: int, frame: VideoFrame) -> None:
        if number > self._limits.max_frames:
            raise refused("media.too_many_frames", f"The video has more than {self._limits.max_frames} frames.")

    def _usable(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """From the first key frame on; where there is none for long (intra refresh), from where that was noticed."""
        for orphans, frame in enumerate(frames):
            if frame.key_frame or orphans > MOST_ORPHANS:
                yield frame
                break
        yield from frames

    def key_frame(self, tick: int) -> VideoFrame | None:
        """The last key frame at ``tick`` or before, no other being decoded; where a seek leads to none, one behind it.

        None where there is none at all, or the file can't be sought.
        """
        found = None
        for back in KEY_BACK:
            found = self._key_from(tick - int(back / self.time_base), tick) or found
            if found is not None and (found.pts or 0) <= tick:
                break
        return found

    def _key_from(self, start: int, tick: int) -> VideoFrame | None:
        self._fresh = False
        try:
            self.container.seek(start, stream=self.stream)
        except FFmpegError:
            return None
        best: Packet[VideoStream] | None = None
        for number, packet in enumerate(islice(self._demuxed(), MOST_SEARCHED)):
            late = packet.pts is not None and packet.pts > tick
            if packet.size and packet.is_keyframe and (best is None or not late):
                best = packet
            # With an index the first packet is the one; without it the seek came down anywhere before.
            if best is not None and (late or number == 0):
                break
        return self._alone(best) if best is not None else None

    def _alone(self, packet: "Packet[VideoStream]") -> VideoFrame | None:
        """Flushed at once, since a decoder keeps a frame until it has seen more; the next seek makes up for that."""
        try:
            frames = [*packet.decode(), *self.stream.codec_context.decode(None)]
        except (av.error.InvalidDataError, av.error.EOFError):
            return None
        frame = next((one for one in frames if one.key_frame), None)
        if frame is not None and frame.pts is None:
            frame.pts = frame.dts
        return frame

    def frames(self, tick: int | None = None) -> Iterator[VideoFrame]:
        last: int | None = None
        for frame in super().frames(tick):
            if last is None or frame.pts is None or frame.pts > last:
                last = frame.pts
                yield frame


class SoundReader(_Reader[AudioStream, AudioFrame]):
    """The first audio stream."""

    _sounding = Fraction(0)

    def _chosen(self) -> AudioStream:
        stream = opening.first_audio(self.container)
        if stream is None:
            raise refused("media.corrupt", "The sound that the file had is gone.")
        return stream

    def _decode(self, packet: "Packet[AudioStream]") -> list[AudioFrame]:
        return packet.decode()

    def _count(self, number: int, frame: AudioFrame) -> None:
        if number == 1:
            self._sounding = Fraction(0)
        self._sounding += Fraction(frame.samples, frame.sample_rate)
        if self._sounding > self._limits.max_seconds + SLACK_SECONDS:
            raise refused("media.too_long", f"The sound is longer than {self._limits.max_seconds:g} seconds.")


def _chained(first: F, rest: Iterator[F]) -> Iterator[F]:
    yield first
    yield from rest
