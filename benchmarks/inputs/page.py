"""The table of inputs, as a page of the documents."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.inputs.catalogue import Input
from benchmarks.inputs.checking import Verdict

PAGE = Path(__file__).parent.parent.parent / "docs" / "inputs.md"
HEAD = """# Inputs and what comes out

Written by `make inputs`. Each file is made by Debian's ffmpeg or the newest one (or is a real clip), planned, and every
pass of the plan is done by a worker's confined child: once the whole file with no steps, once a part of it. What comes
out is decoded by {version}, another build than Moviola's, and held against what that ffmpeg says of the source:

- the number of pictures, the time of every one (to 1 ms), and where the last one ends;
- every picture against the source's own picture of that place, turned, deinterlaced (bwdif), tone-mapped (zscale) and
  scaled by the other ffmpeg; "dB" is the lowest PSNR of all pictures, and their mean;
- size, square pixels, yuv420p in limited range, no rotation left (where pictures are encoded), BT.709 said of HDR;
- the sound: a beep each second, its distance from where the source has it, 25 ms at most;
- no metadata beyond what the muxer writes.

A part marked "copied" was cut without encoding more than its borders. Tone mapping is a matter of taste: HDR is held
against zscale's and ffmpeg's `tonemap`, and the number says only that the picture is the right one.

Measured {date}: {count} files, {good} of {all} results as they have to be.

| file | what is special | part | came out | sound | dB | sound off by | verdict |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One result; ``verdict`` is a sentence where there is none."""

    input: Input
    part: tuple[float, float] | None
    copied: bool
    verdict: Verdict | str

    @property
    def wrong(self) -> bool:
        return isinstance(self.verdict, str) or bool(self.verdict.faults)

    def text(self) -> str:
        part = "all" if self.part is None else f"{self.part[0]:g}–{self.part[1]:g} s"
        part += ", copied" if self.copied else ""
        cells = [f"`{self.input.name}`", self.input.special, part]
        return f"| {' | '.join([*cells, *_said(self.verdict)])} |"


def _said(verdict: Verdict | str) -> Sequence[str]:
    if isinstance(verdict, str):
        return ("–", "–", "–", "–", verdict)
    off = "–" if verdict.distance is None else f"{verdict.distance * 1000:.1f} ms"
    came = f"{verdict.pictures} pictures, {verdict.width}×{verdict.height}, {verdict.seconds:.3f} s"
    near = f"{verdict.lowest:.1f}, {verdict.mean:.1f}"
    return (came, verdict.sound, near, off, "; ".join(verdict.faults) or "right")


def write(lines: Sequence[Line]) -> None:
    """Write the page."""
    said = subprocess.run(["ffmpeg", "-version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    head = HEAD.format(
        version=" ".join(said.split()[:3]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        count=len([name for name, _ in groupby(line.input.name for line in lines)]),
        good=sum(not line.wrong for line in lines),
        all=len(lines),
    )
    PAGE.write_text(head + "".join(f"{line.text()}\n" for line in lines))
