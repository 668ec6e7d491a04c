"""When a mark is seen, and how strongly: asked for every frame, by the time at which the result shows it."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from av.video.frame import VideoFrame

from moviola.plan import Overlay, Window
from moviola_workers.engine.timeline import Timeline

# Times come as decimal numbers: within a microsecond of a frame's means that frame.
ROUNDING = 1e-6
# A frame that is shown for longer than this comes again whenever a mark changes meanwhile.
HOLD = Fraction(1, 10)
# How often it comes again while a mark fades.
STEP = 1 / 25


class Moments:
    """The windows of one overlay. ``timeline`` and ``origin`` translate for windows on the source's clock."""

    def __init__(self, overlay: Overlay, timeline: Timeline | None, origin: Fraction) -> None:
        self._windows: Sequence[Window] = overlay.windows or ()
        self._fade = overlay.fade
        self._timeline = timeline if overlay.clock == "source" else None
        self._origin = origin

    def strength(self, at: Fraction) -> float:
        """From 0 (not seen) to 1, at that second of the result."""
        now = float(at + self._shift(at))
        window = next((one for one in self._windows if _is_open(one, now)), None)
        if window is None:
            return 0.0
        if not self._fade:
            return 1.0
        near = min(now - window.appears, window.vanishes - now) / self._fade
        return min(1.0, max(0.0, near))

    def changes(self, after: Fraction, before: Fraction) -> Iterator[Fraction]:
        """The instants between two seconds of the result at which the mark changes, in no order."""
        shift = self._shift(after)
        low, high = float(after + shift), float(before + shift)
        for window in self._windows:
            for edge in self._edges(window, low, high):
                if low + ROUNDING < edge < high - ROUNDING:
                    yield Fraction(edge) - shift

    def _edges(self, window: Window, low: float, high: float) -> Iterator[float]:
        yield window.start
        if window.end is not None:
            yield window.end
        if self._fade:
            yield from _steps(window.appears, window.appears + self._fade, low, high)
            yield from _steps(window.vanishes - self._fade, window.vanishes, low, high)

    def _shift(self, at: Fraction) -> Fraction:
        """What leads from the result's time to that of the windows."""
        return self._timeline.shift_at(at) - self._origin if self._timeline is not None else Fraction(0)


def _is_open(window: Window, now: float) -> bool:
    return window.start <= now + ROUNDING and (window.end is None or now + ROUNDING < window.end)


def _steps(begin: float, end: float, low: float, high: float) -> Iterator[float]:
    """Instants of a fade: always the same ones, wherever the part of it that is asked for begins."""
    first = max(0, math.floor((low - begin) / STEP))
    last = math.ceil((min(end, high) - begin) / STEP)
    yield from (min(begin + number * STEP, end) for number in range(first, last + 1))


def refreshed(frames: Iterator[VideoFrame], moments: Sequence[Moments], base: Fraction) -> Iterator[VideoFrame]:
    """The frames, each with its exact duration; one that is shown for long comes again whenever a mark changes.

    It is the same frame then, with another time: it must be used before the next one is asked for.
    """
    for frame in frames:
        position, until = frame.pts or 0, (frame.pts or 0) + frame.duration
        ticks: set[int] = set()
        if moments and frame.duration * base > HOLD:
            changes = (change for one in moments for change in one.changes(position * base, until * base))
            ticks = {tick for change in changes if position < (tick := _tick(change, base)) < until}
        for begin, end in pairwise([position, *sorted(ticks), until]):
            frame.pts, frame.duration = begin, end - begin
            yield frame


def _tick(second: Fraction, base: Fraction) -> int:
    """The first tick at or after that second."""
    exact = second / base
    nearest = round(exact)
    return nearest if abs(exact - nearest) * base <= Fraction(ROUNDING) else math.ceil(exact)
