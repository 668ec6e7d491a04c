"""How far an attempt is, on one scale, and whether it gets on.

Fetching the input is 0 to 5 %, the child's work 5 to 95 %, storing the result 95 to 100 %. The value never goes back:
a transfer that starts anew stands still until it has caught up. Every byte and every report of the child's counts as a
move, whether or not it changes the value.
"""

import time
from collections.abc import Callable
from typing import Literal

Phase = Literal["fetch", "work", "store"]
SCALE: dict[Phase, tuple[float, float]] = {"fetch": (0.0, 0.05), "work": (0.05, 0.95), "store": (0.95, 1.0)}
# Before this much time has passed a rate says nothing.
ETA_AFTER_SECONDS = 1.0


class Meter:
    """``value`` from 0 to 1; ``moves`` counts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.value = 0.0
        self.moves = 0
        self._fetched_in = 0.0
        self._began = clock()
        self._enter("fetch", 0)

    def begin(self, phase: Phase, *, total: int = 0) -> None:
        """Enter *phase*, which moves *total* bytes; beginning one is a move."""
        self._enter(phase, total)
        self.moves += 1

    def moved_bytes(self, count: int) -> None:
        """*count* more bytes of the phase's total were transferred."""
        self._bytes += count
        self.moved(self._bytes / self._total if self._total else 0.0)

    def moved(self, done: float) -> None:
        """The phase is at *done*, 0 to 1."""
        low, high = SCALE[self._phase]
        self.value = max(self.value, low + (high - low) * min(max(done, 0.0), 1.0))
        self.touch()

    def touch(self) -> None:
        """It got on in a way that the scale does not show."""
        self.moves += 1
        self._moved_at = self._clock()

    def idle_seconds(self) -> float:
        """How long ago the last move was."""
        return self._clock() - self._moved_at

    def eta_seconds(self) -> float | None:
        """How long the rest will take at the rate of the present phase; None while that is not known.

        Fetching says nothing of the work. Storing a result takes about as long as fetching the source took.
        """
        elapsed = self._clock() - self._began
        gained = self.value - self._from
        if self._phase == "fetch" or elapsed < ETA_AFTER_SECONDS or gained <= 0:
            return None
        rest = (SCALE[self._phase][1] - self.value) * elapsed / gained
        return round(rest + (self._fetched_in if self._phase == "work" else 0.0), 1)

    def _enter(self, phase: Phase, total: int) -> None:
        if phase == "work":
            self._fetched_in = self._clock() - self._began
        self._phase: Phase = phase
        self._total = total
        self._bytes = 0
        self.value = self._from = max(self.value, SCALE[phase][0])
        self._began = self._moved_at = self._clock()
