"""A step's report that can be given again: it goes on, even where it gets no further."""

from moviola_workers.job import Report


class Pulse:
    """A ``Report`` that never goes back. Any thread may call it: what it tells is a number and a sign of life."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._done = 0.0

    def __call__(self, done: float) -> None:
        self._done = max(self._done, done)
        self._report(self._done)

    def again(self) -> None:
        """Something was done that does not show in the result: frames in front of a part were decoded."""
        self._report(self._done)
