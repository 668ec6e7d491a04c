"""Where the kept parts of the source land on the result's clock; written by the picture, read by the sound.

The picture decides: a part begins and ends where frames do, and the sound is cut at the very same instants, so that
joints are seamless and the two stay together. Times are exact fractions of seconds on the container's clock.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(slots=True)
class Cut:
    """A kept part: from ``start`` on, landing at ``lands``. ``end`` is None as long as it is not known."""

    start: Fraction
    lands: Fraction
    end: Fraction | None = None


class Timeline:
    """Cuts in order. ``settled``: of the last cut, everything before this instant is certain to be kept.

    One thread writes, another reads; each field is replaced in one piece.
    """

    def __init__(self) -> None:
        self.cuts: list[Cut] = []
        self.settled: Fraction | None = None

    def begin(self, start: Fraction, lands: Fraction) -> None:
        self.settled = start
        self.cuts.append(Cut(start=start, lands=lands))

    def settle(self, until: Fraction) -> None:
        self.settled = until

    def end(self, at: Fraction) -> None:
        """The last cut ends there."""
        self.cuts[-1].end = at

    def is_settled(self, index: int, until: Fraction) -> bool:
        """Whether all of the cut up to ``until`` is known to be kept, or known not to be."""
        return self.cuts[index].end is not None or (self.settled is not None and until <= self.settled)

    def shift_at(self, at: Fraction) -> Fraction:
        """What to add to a time of the result, up to which frames were handed out, for that of the source."""
        cut = next((cut for cut in reversed(self.cuts) if cut.lands <= at), self.cuts[0])
        return cut.start - cut.lands
