"""Medians, ratios pair by pair, and the page that they are written to."""

import os
import platform
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a result: ``values`` as they were measured, run by run; ``unit`` behind each, with ``digits``."""

    name: str
    values: Sequence[float]
    unit: str = "s"
    digits: int = 2

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def cells(self) -> str:
        low, middle, high = (f"{value:.{self.digits}f}" for value in (min(self.values), self.median, max(self.values)))
        return f"| {self.name} | {middle} {self.unit} | {low} – {high} | {len(self.values)} |"


@dataclass(frozen=True, slots=True)
class Ratio:
    """``ours`` over ``peer``, each run against the peer's run beside it, so that a drifting machine cancels out."""

    name: str
    ours: Row
    peer: Row
    expected: str

    @property
    def median(self) -> float:
        return statistics.median(a / b for a, b in zip(self.ours.values, self.peer.values, strict=True))

    def cells(self) -> str:
        return f"| {self.name} | **{self.median:.2f}×** | {self.expected} |"


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark: what was done, what was measured, how it compares."""

    title: str
    work: str
    rows: Sequence[Row]
    ratios: Sequence[Ratio] = ()
    remarks: str = ""

    def text(self) -> str:
        lines = [
            f"## {self.title}",
            "",
            textwrap.fill(self.work, 110),
            "",
            "| what | median | min – max | runs |",
            "|---|---|---|---|",
        ]
        lines += [row.cells() for row in self.rows]
        if self.ratios:
            lines += ["", "| ratio | measured | expected |", "|---|---|---|"]
            lines += [ratio.cells() for ratio in self.ratios]
        if self.remarks:
            lines += ["", self.remarks]
        return "\n".join(lines) + "\n"


def write(sections: Sequence[Section]) -> None:
    """Write the page, and print it."""
    head = (
        "# Benchmarks\n\n"
        "Written by `make bench`. Each table is one run on one machine, peers and Moviola taking turns; a ratio is\n"
        "the median of the ratios of neighbouring runs. Figures of different runs or machines can't be compared.\n\n"
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}.\n"
    )
    text = head + "".join(f"\n{section.text()}" for section in sections)
    PAGE.write_text(text)
    print(text)
