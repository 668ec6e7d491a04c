"""Run every benchmark and write docs/benchmarks.md: `python -m benchmarks [--runs N] [--clip FILE]`."""

import argparse
import tempfile
from pathlib import Path

from benchmarks import four_steps, memory, mute, one_generation, smart_cut
from benchmarks.report import write

CLIP = Path(__file__).parent.parent / "tests" / "media" / "bigbuckbunny.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured")
    parser.add_argument("--clip", type=Path, default=CLIP, help="a real clip to make the inputs from")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moviola-bench-") as name:
        folder = Path(name)
        write(
            [
                four_steps.measure(folder, wanted.clip, runs=wanted.runs),
                *one_generation.measure(folder, wanted.clip, runs=wanted.runs),
                smart_cut.measure(folder, wanted.clip, runs=wanted.runs),
                mute.measure(folder, wanted.clip, runs=wanted.runs),
                memory.measure(folder),
            ]
        )


main()
