"""Which frame is on display at given times; exactly, or, where that would take too long, by key frames alone.

Times come in ascending order, in ticks of the reader's stream.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.video.frame import VideoFrame

from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader

# So much is decoded for exact frames, where key frames would not do: ten thousand pictures of 1280×720.
EXACT_PIXELS = 10_000 * 1280 * 720
# And so much where they would: they lie as close as the frames that are asked for.
DENSE_PIXELS = 4_000 * 1280 * 720
DENSE_SHARE = 0.9
# A small picture has its price too.
LEAST_PIXELS = 640 * 720
UNSAID_RATE = Fraction(25)
# What these keep as an index are places in the file, not key frames.
WITHOUT_INDEX = ("mpegts", "mpeg")
# Times are decimal numbers: a microsecond before a frame means that frame.
ROUNDING = Fraction(1, 1_000_000)


def tick_of(reader: PictureReader, second: Fraction) -> int:
    """The last tick at that second of the file's own clock, or before."""
    return int((second + ROUNDING) // reader.time_base)


def length_of(reader: PictureReader) -> Fraction:
    """Seconds of picture, as the header says; 0 where it is silent."""
    stream = reader.stream
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(reader.container.duration or 0, 1_000_000)


class Display:
    """The frames of one file that are on display at ``ticks``, each as often as it is asked for."""

    def __init__(self, reader: PictureReader, ticks: Sequence[int], pulse: Pulse) -> None:
        self._reader = reader
        self._ticks = ticks
        self._pulse = pulse
        # Matroska reads its index when it is first sought.
        reader.key_frame(ticks[-1])
        # All at once, since a reader that has to begin anew closes the file that the index belongs to.
        self._keys = [_key_before(reader, tick) for tick in ticks]

    def frames(self) -> Iterator[VideoFrame]:
        """By the documented rule: exact ones, but key frames where those cost too much."""
        return self.exact() if self.affordable(DENSE_PIXELS if self.dense() else EXACT_PIXELS) else self.near()

    def dense(self) -> bool:
        """Whether nearly every key frame is closer to its time than the time before, so that all frames differ."""
        close = [key > before for before, key in zip(self._ticks, self._keys[1:], strict=False)]
        return sum(close) >= DENSE_SHARE * len(close)

    def affordable(self, pixels: int = EXACT_PIXELS) -> bool:
        """Whether exact frames can be had by decoding no more than *pixels*."""
        stream = self._reader.stream
        rate = (stream.average_rate or UNSAID_RATE) * self._reader.time_base
        frames, position = 0, stream.start_time or 0
        for tick, key in zip(self._ticks, self._keys, strict=True):
            frames += int(max(0, tick - max(position, key)) * rate) + 1
            position = max(position, tick)
        return frames * max(LEAST_PIXELS, stream.width * stream.height) <= pixels

    def exact(self) -> Iterator[VideoFrame]:
        """The last frame that begins at each time or before. What lies before a key frame on the way is passed over."""
        ticks, begin = self._ticks, 0
        for end in range(1, len(ticks) + 1):
            if end < len(ticks) and self._keys[end] <= ticks[end - 1]:
                continue
            yield from on_display(self._beating(self.following(ticks[begin])), ticks[begin:end])
            begin = end

    def following(self, tick: int) -> Iterator[VideoFrame]:
        """All frames from the last key frame at that time or before."""
        if self._reader.container.format.name in WITHOUT_INDEX:
            # There a seek leads anywhere; what comes before the next key frame lacks its references.
            key = self._reader.key_frame(tick)
            tick = min(tick, key.pts or 0) if key is not None else tick
        return self._reader.frames(tick)

    def near(self) -> Iterator[VideoFrame]:
        """The last key frame that began at each time or before; hardly any other frame is decoded."""
        last: VideoFrame | None = None
        for tick in self._ticks:
            frame = self._reader.key_frame(tick)
            if frame is None and last is None:
                frame = next(self._reader.frames(tick), None)
            if frame is not None and (last is None or frame.pts != last.pts):
                last = frame
            self._pulse.again()
            if last is not None:
                yield last

    def _beating(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            self._pulse.again()
            yield frame


def _key_before(reader: PictureReader, tick: int) -> int:
    """Where decoding has to begin, by the file's index; without one at the beginning."""
    index = reader.stream.index_entries
    usable = len(index) > 0 and reader.container.format.name not in WITHOUT_INDEX
    number = index.search_timestamp(tick) if usable else -1
    return index[number].timestamp if number >= 0 else reader.stream.start_time or 0


def on_display(frames: Iterator[VideoFrame], ticks: Sequence[int]) -> Iterator[VideoFrame]:
    """Of frames in order, the one on display at each time; the first before it began, the last after all ended."""
    shown = ahead = next(frames, None)
    for tick in ticks:
        while ahead is not None and (ahead.pts or 0) <= tick:
            shown, ahead = ahead, next(frames, None)
        if shown is not None:
            yield shown
