"""Which frames are kept, and when the result shows them.

A span keeps the frames with start <= pts < end. Where the next frame is far (variable frame rate: a still screen), the
one on display at ``start`` is shown from there, so that nothing of the span goes dark; in the same way the last frame
of a span is shown to the span's end, not to the next frame's time.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from av.video.frame import VideoFrame

from moviola.messages import Limits
from moviola.plan import Span
from moviola_workers.engine.failures import refused
from moviola_workers.engine.reading import PictureReader
from moviola_workers.engine.timeline import Timeline

# A frame further than this from a span's border is not waited for.
HOLD = Fraction(1, 10)
# Times come as floats: one within a microsecond of a tick means the tick.
ROUNDING = Fraction(1, 1_000_000)
# To the next span, decoding on is cheaper than a seek up to this distance.
NEAR = 2


def tick_of(seconds: float, origin: Fraction, base: Fraction) -> int:
    """The first tick of a stream's clock at or after that second of the file, whose second 0 is ``origin``."""
    exact = (Fraction(seconds) + origin) / base
    nearest = round(exact)
    return nearest if abs(exact - nearest) * base <= ROUNDING else math.ceil(exact)


class Selection:
    """The kept frames of a video, in order, with the result's timestamps in the source's time base.

    Each frame's ``duration`` is exact. The timeline is written before a frame is handed out. ``passed`` is called for
    each frame that is decoded on the way to a span.
    """

    def __init__(
        self,
        reader: PictureReader,
        spans: Sequence[Span] | None,
        origin: Fraction,
        limits: Limits,
        passed: Callable[[], None],
    ) -> None:
        self.timeline = Timeline()
        self._reader = reader
        self._base = reader.time_base
        self._origin = origin
        self._spans = spans
        self._limits = limits
        self._passed = passed
        self._lands = 0
        self._count = 0
        self._seen = False
        self._stream: Iterator[VideoFrame] = iter(())
        self._next: VideoFrame | None = None

    def frames(self) -> Iterator[VideoFrame]:
        """Raises ``TaskFailure`` where nothing is kept, or more than the limits allow."""
        if self._spans is None:
            yield from self._whole()
        else:
            for span in self._spans:
                start, end = (tick_of(second, self._origin, self._base) for second in (span.start, span.end))
                yield from self._part(start, end)
        if not self._count:
            raise _nothing_kept(self._seen)

    def _whole(self) -> Iterator[VideoFrame]:
        self._seek(None)
        first = self._advance()
        if first is None:
            return
        start = min(math.floor(self._origin / self._base), first.pts or 0)
        self.timeline.begin(start * self._base, Fraction(0))
        # Nothing will be cut away, so the sound need not wait.
        self.timeline.end(Fraction(2**40))
        yield from self._run(first, start, None)

    def _part(self, start: int, end: int) -> Iterator[VideoFrame]:
        frame, shown = self._find(start, end)
        if frame is None:
            return
        begin = start if shown else (frame.pts or 0)
        self.timeline.begin(begin * self._base, self._lands * self._base)
        frame.pts = begin
        yield from self._run(frame, begin, end)

    def _find(self, start: int, end: int) -> tuple[VideoFrame | None, bool]:
        """The first frame of the span, and whether it is one that was on display before the span began."""
        if self._next is None or not start - NEAR / self._base <= (self._next.pts or 0) <= start:
            self._seek(start)
        before: VideoFrame | None = None
        frame = self._advance()
        while frame is not None and (frame.pts or 0) < start:
            self._passed()
            before, frame = frame, self._advance()
        far = frame is None or ((frame.pts or 0) - start) * self._base > HOLD
        if before is not None and far and self._lasts(before, frame) > start:
            self._next = frame
            return before, True
        if frame is None or (frame.pts or 0) >= end:
            self._next = frame
            return None, False
        return frame, False

    def _lasts(self, frame: VideoFrame, following: VideoFrame | None) -> int:
        position = frame.pts or 0
        return position + frame.duration if following is None else (following.pts or 0)

    def _run(self, frame: VideoFrame, begin: int, end: int | None) -> Iterator[VideoFrame]:
        """Frames from ``frame`` on to the span's end; each is handed out when it is known how long it lasts."""
        shift = self._lands - begin
        while True:
            position = frame.pts or 0
            following = self._advance()
            inside = following is not None and (end is None or (following.pts or 0) < end)
            until = self._until(position, frame.duration, following, end)
            if inside:
                self.timeline.settle(until * self._base)
            elif end is not None:
                self.timeline.end(until * self._base)
            frame.pts, frame.duration = position + shift, until - position
            self._check(frame)
            yield frame
            if following is None or not inside:
                break
            frame = following
        self._next = following
        self._lands = until + shift

    def _until(self, position: int, duration: int, following: VideoFrame | None, end: int | None) -> int:
        if following is None:
            until = position + max(1, duration)
            return until if end is None else min(until, max(end, position + 1))
        until = following.pts or 0
        if end is not None and until > end and (until - end) * self._base > HOLD:
            return max(end, position + 1)
        return until

    def _seek(self, tick: int | None) -> None:
        self._next = None
        self._stream = self._reader.frames(tick)

    def _advance(self) -> VideoFrame | None:
        frame, self._next = self._next or next(self._stream, None), None
        self._seen = self._seen or frame is not None
        return frame

    def _check(self, frame: VideoFrame) -> None:
        self._count += 1
        if self._count > self._limits.max_frames:
            raise refused("media.too_many_frames", f"The video has more than {self._limits.max_frames} frames.")
        if (frame.pts or 0) * self._base > self._limits.max_seconds:
            raise refused("media.too_long", f"The video is longer than {self._limits.max_seconds:g} seconds.")


def _nothing_kept(seen: bool) -> Exception:
    if seen:
        return refused("recipe.start_beyond_end", "No frame of the video lies in the part that is to be kept.")
    return refused("media.corrupt", "Not a single frame could be decoded.")
