"""A cut as a list of pieces: packets to copy, and pictures to encode anew at the borders where none can be copied.

The same pictures at the same times as ``selection`` keeps, found without decoding: a span keeps what is shown from its
start on and before its end; where the next picture is far, the one on display at the start is shown from there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from moviola.plan import Span
from moviola_workers.engine.selection import HOLD, tick_of
from moviola_workers.engine.shots import Shot, depth, groups, stops
from moviola_workers.engine.timeline import Timeline

# So many packets in a row that are shown behind a span's end: nothing of the span can follow (reordering: 16 at most).
BEHIND = 40


@dataclass(frozen=True, slots=True)
class Copied:
    """``count`` packets from the key frame at the source's tick ``first`` on, shown ``shift`` ticks later.

    ``last`` is the source's tick of the one shown last, and ``until`` the result's tick at which it goes.
    """

    first: int
    count: int
    shift: int
    last: int
    until: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures by their ticks in the source, each with its tick in the result; ``until`` ends the last one."""

    pictures: tuple[tuple[int, int], ...]
    until: int


Piece = Copied | Encoded


@dataclass(slots=True)
class CutList:
    """Pieces in order; ``timeline`` says the same to the sound. ``depth``: of the reordering in what is copied."""

    pieces: list[Piece] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    depth: int = 0

    @property
    def copied(self) -> int:
        return sum(piece.count for piece in self.pieces if isinstance(piece, Copied))

    @property
    def encoded(self) -> int:
        return sum(len(piece.pictures) for piece in self.pieces if isinstance(piece, Encoded))


def cut_list(
    spans: Sequence[Span], shots_from: Callable[[int], Iterator[Shot]], origin: Fraction, base: Fraction
) -> CutList:
    """``shots_from`` gives a stream's shots from one shown at a tick, or earlier, on; it may say ``NotCopyable``."""
    made, lands = CutList(), 0
    for span in spans:
        start, end = tick_of(span.start, origin, base), tick_of(span.end, origin, base)
        found = _Span(start, end, base)
        for group in groups(_near(shots_from(start), end)):
            found.take(group)
        if found.begin is not None:
            made.timeline.begin(found.begin * base, lands * base)
            made.timeline.end(found.until * base)
            made.pieces += found.pieces(lands - found.begin)
            made.depth = max(made.depth, found.depth)
            lands += found.until - found.begin
    return made


def _near(shots: Iterator[Shot], end: int) -> Iterator[Shot]:
    """Up to a little behind the end, so that a group without an end costs no whole file."""
    behind = 0
    for shot in shots:
        behind = behind + 1 if shot.at >= end else 0
        yield shot
        if behind >= BEHIND:
            return


@dataclass(slots=True)
class _Run:
    """Pictures next to each other that are treated alike: ``count`` packets to copy, or (0) ``pictures`` to encode."""

    first: int
    last: int
    count: int = 0
    pictures: list[int] = field(default_factory=list)


class _Span:
    """Takes the groups around one span, in order, and says what becomes of them."""

    def __init__(self, start: int, end: int, base: Fraction) -> None:
        self._start, self._end, self._base = start, end, base
        self._runs: list[_Run] = []
        self._before: Shot | None = None
        self._last: Shot | None = None
        self._following: int | None = None
        self.depth = 0

    def take(self, group: list[Shot]) -> None:
        shown = sorted((shot for shot in group if not shot.hidden), key=lambda shot: shot.at)
        for shot in shown:
            if shot.at < self._start:
                self._before = shot
            elif shot.at < self._end:
                self._last = shot
            elif self._following is None:
                self._following = shot.at
        kept = [shot.at for shot in shown if self._start <= shot.at < self._end]
        copied = self._copyable(group)
        if copied:
            self._copy(kept[0], kept[copied - 1], copied)
            self.depth = max(self.depth, depth(group[:copied]))
        if kept[copied:]:
            self._encode(kept[copied:])

    def _copyable(self, group: list[Shot]) -> int:
        """How many of the group's packets can be taken as they are: from its start to the last stop in the span."""
        if not group[0].starts or group[0].at < self._start or any(shot.hidden for shot in group):
            return 0
        inside = sum(shot.at < self._end for shot in group)
        return max((count for count in stops(group) if count <= inside), default=0)

    def _copy(self, first: int, last: int, count: int) -> None:
        if self._runs and self._runs[-1].count:
            self._runs[-1].last = last
            self._runs[-1].count += count
        else:
            self._runs.append(_Run(first, last, count))

    def _encode(self, pictures: list[int]) -> None:
        if self._runs and not self._runs[-1].count:
            self._runs[-1].pictures += pictures
            self._runs[-1].last = pictures[-1]
        else:
            self._runs.append(_Run(pictures[0], pictures[-1], 0, pictures))

    @property
    def _held(self) -> int | None:
        """The picture that is on display when the span starts, where the next one is far."""
        if self._before is None:
            return None
        following = self._runs[0].first if self._runs else self._following
        if following is not None and (following - self._start) * self._base <= HOLD:
            return None
        lasts = self._before.at + self._before.duration if following is None else following
        return self._before.at if lasts > self._start else None

    @property
    def begin(self) -> int | None:
        """The source's tick at which the part starts; None where nothing of the video lies in the span."""
        if self._held is not None:
            return self._start
        return self._runs[0].first if self._runs else None

    @property
    def until(self) -> int:
        """Where the last picture goes."""
        last = self._last or self._before
        if last is None:
            return self._start
        position = self._start if self._last is None else last.at
        if self._following is None:
            natural = last.at + max(1, last.duration)
            return min(natural, max(self._end, position + 1))
        if self._following > self._end and (self._following - self._end) * self._base > HOLD:
            return max(self._end, position + 1)
        return self._following

    def pieces(self, shift: int) -> Iterator[Piece]:
        """``shift`` is what the result's ticks are later than the source's."""
        runs = list(self._runs)
        held = [] if self._held is None else [(self._held, self._start + shift)]
        if held and (not runs or runs[0].count):
            yield Encoded(tuple(held), (runs[0].first if runs else self.until) + shift)
            held = []
        ends = [run.first for run in runs[1:]] + [self.until]
        # Without a run there is nothing left but the picture that is held.
        for run, end in zip(runs, ends, strict=False):
            if run.count:
                yield Copied(run.first, run.count, shift, run.last, end + shift)
            else:
                pictures = [*held, *((at, at + shift) for at in run.pictures)]
                yield Encoded(tuple(pictures), end + shift)
                held = []
