"""Which kind of task a worker of several kinds takes next: the short ones first, and the long ones in their turn.

A step that takes a moment must not wait behind encodes, of which each may take an hour. So the queues of short kinds
are asked first, and among equals the one that was served longest ago. But after so many short tasks in a row the long
kinds come first once, so that they don't wait for ever. And of several places one is kept for the short kinds: a task
that has begun is not interrupted, and all places could be taken by long ones.
"""

from collections.abc import Sequence
from itertools import count

from moviola.plan import Kind

# Whatever is not named here may take long.
SHORT = frozenset({"probe", "mute", "downmix", "normalize", "measure", "thumbnails", "verify"})
SHORT_IN_A_ROW = 8


class Turns:
    """Of a worker of *kinds* with *places*; all of its places share one."""

    def __init__(self, kinds: Sequence[Kind], places: int) -> None:
        self._short = [kind for kind in kinds if kind in SHORT]
        self._long = [kind for kind in kinds if kind not in SHORT]
        self._reserves = places > 1 and bool(self._short) and bool(self._long)
        self._clock = count(1)
        self._served: dict[Kind, int] = {}
        self._in_a_row = 0

    def order(self, place: int) -> list[Kind]:
        """The kinds that the place with this number takes next, the most wanted first."""
        short, long = (sorted(kinds, key=lambda kind: self._served.get(kind, 0)) for kinds in (self._short, self._long))
        if self._reserves and place == 0:
            return short
        return [*long, *short] if self._in_a_row >= SHORT_IN_A_ROW else [*short, *long]

    def took(self, kind: Kind, place: int) -> None:
        """The place has taken a task of that kind."""
        self._served[kind] = next(self._clock)
        if self._reserves and place == 0:
            return
        self._in_a_row = self._in_a_row + 1 if kind in SHORT else 0
