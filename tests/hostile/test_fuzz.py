"""A thousand small videos with flipped bits; `make fuzz` goes on from here.

`MOVIOLA_FUZZ_SEED` takes another row of mutations than the usual one, or one that was printed.
"""

import os
import re
from pathlib import Path

import pytest

from tests.hostile.fuzz import Findings, Fuzz

USUAL_SEED = 20_260
PAGE = Path(__file__).parents[2] / "docs" / "hostile-input.md"
DOCUMENTED = frozenset(re.findall(r"`((?:media|worker|storage)\.[a-z_]+)`", PAGE.read_text()))


async def _fuzzed(tmp_path: Path, count: int) -> Findings:
    seed = int(os.environ.get("MOVIOLA_FUZZ_SEED", USUAL_SEED))
    # A failed test shows it; the findings stay where pytest keeps its last directories.
    print(f"MOVIOLA_FUZZ_SEED={seed}")  # noqa: T201  # it is meant for whoever reads the failure
    found = await Fuzz(tmp_path, tmp_path / "findings").run(seed, count)
    for crash in found.crashed:
        print("crashed:", crash)  # noqa: T201  # FFmpeg's own, and documented; told all the same
    return found


def _law(found: Findings, count: int) -> None:
    assert found.count == count
    assert found.codes.keys() - {None} <= DOCUMENTED
    assert (found.defects, found.hanging, found.slow) == ([], [], [])
    # The mutations are worth something: they reach the decoder, and they break files.
    assert found.codes[None] > count / 10
    assert found.codes["media.corrupt"] > count / 100


@pytest.mark.timeout(1500)  # forty seconds of one core; machines are shared
async def test_a_thousand_mutations_end_in_success_or_a_documented_code(tmp_path: Path) -> None:
    _law(await _fuzzed(tmp_path, 1000), 1000)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_twenty_thousand_mutations_do_too(tmp_path: Path) -> None:
    _law(await _fuzzed(tmp_path, 20_000), 20_000)
