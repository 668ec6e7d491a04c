"""Put every input through the system and write docs/inputs.md: `python -m benchmarks.inputs [--clip FILE …] [NAME …]`.

With names, only those inputs, and nothing is written. Status 1 where anything came out wrong.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmarks.inputs.catalogue import INPUTS, Input
from benchmarks.inputs.checking import check
from benchmarks.inputs.page import Line, write
from benchmarks.inputs.running import done, facts_of
from moviola.errors import TaskFailure
from moviola.probe import Probe

CLIPS = Path(__file__).parent.parent.parent / "tests" / "media"
REAL = Input("bigbuckbunny.mp4", "a real clip: Big Buck Bunny, 720p and 5.1", (), part=(0.4, 1.3), real=True)


def lines(one: Input, path: Path | None, folder: Path) -> list[Line]:
    """Of the whole file, then of a part; *path* None: it is made first."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        source = path or one.written(scratch)
        try:
            facts = facts_of(source, _folder(scratch, "facts"))
            return [_line(one, source, facts, scratch, part) for part in (None, one.part)]
        except TaskFailure as failure:
            return [Line(one, None, copied=False, verdict=f"{failure.code}: {failure}")]


def _line(one: Input, source: Path, facts: Probe, scratch: Path, part: tuple[float, float] | None) -> Line:
    steps = [] if part is None else [{"step": "trim", "start": part[0], "end": part[1]}]
    made = done(source, facts, _folder(scratch, "all" if part is None else "part"), steps)
    copied = made.plan.partial or made.plan.generations == 0
    # What is copied keeps its rate, however high.
    expected = replace(one, most=None) if copied else one
    return Line(one, part, copied=copied, verdict=check(expected, source, made.result, part, upright=not copied))


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these inputs")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="a further real clip")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    asked = parser.parse_args()
    wanted: list[tuple[Input, Path | None]] = [(one, None) for one in INPUTS if one.name in (asked.names or [one.name])]
    if not asked.names:
        wanted.append((REAL, CLIPS / REAL.name))
    wanted += [(replace(REAL, name=clip.name, special="a real clip"), clip) for clip in asked.clip]
    found: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="moviola-inputs-") as name, ThreadPoolExecutor(asked.jobs) as pool:
        for made in pool.map(lambda one: lines(*one, Path(name)), wanted):
            found += made
            print(*(line.text() for line in made), sep="\n", flush=True)
    if not asked.names:
        write(found)
    return int(any(line.wrong for line in found))


sys.exit(main())
