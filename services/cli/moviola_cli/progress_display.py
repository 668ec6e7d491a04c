"""Progress on stderr: bars on a terminal, plain lines elsewhere. NO_COLOR and TERM=dumb are respected."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY = 0.1


class ProgressDisplay(Protocol):
    """Named pieces of work, each from 0 to 1; what is told twice is shown once."""

    def update(self, name: str, done: float) -> None:
        """*name* is that far; the first call shows it."""

    def say(self, line: str) -> None:
        """A line that stays."""


@contextmanager
def progress_display(*, quiet: bool = False) -> Iterator[ProgressDisplay]:
    """Bars where stderr is a terminal, else lines; nothing at all where *quiet*."""
    if quiet:
        yield Silence()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        # Imported where it is used: a pipe needs none of it.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            yield Bars(bars)


class Bars:
    """One bar for each name."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._ids: dict[str, TaskID] = {}

    def update(self, name: str, done: float) -> None:
        if name not in self._ids:
            self._ids[name] = self._bars.add_task(name, total=1.0)
        self._bars.update(self._ids[name], completed=done)

    def say(self, line: str) -> None:
        self._bars.console.print(line, highlight=False, markup=False)


class Lines:
    """A line when a piece of work begins, at every tenth, and when it is done."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def update(self, name: str, done: float) -> None:
        before = self._told.get(name)
        if before is not None and (before >= 1.0 or done < before + _LINE_EVERY) and not (before < 1.0 <= done):
            return
        self._told[name] = done
        self.say(f"{name} {done:.0%}")

    def say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Silence:
    """Nothing is shown."""

    def update(self, name: str, done: float) -> None:
        pass

    def say(self, line: str) -> None:
        pass


def label(name: str, steps: Sequence[str]) -> str:
    """A pass as a person reads it: ``render (trim, resize)``, or just its name where that says it all."""
    return f"{name} ({', '.join(steps)})" if len(steps) > 1 else name
