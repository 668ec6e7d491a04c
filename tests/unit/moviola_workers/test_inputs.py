"""A few of the inputs of `make inputs`, those that went wrong before or that nothing else covers.

Made by Debian's ffmpeg, and what comes out is decoded by it: by another build than ours, frame by frame.
"""

from pathlib import Path

import pytest
from benchmarks.inputs.catalogue import INPUTS, Input
from benchmarks.inputs.checking import check

from tests.unit.moviola_workers.plan_walk import Walk

WHOLE = ("reordered.avi", "one-pixel.mkv", "thousand.mkv", "size-changes.ts", "tff.mpg", "hdr10.mp4", "early-sound.mkv")
PARTS = ("packed.avi", "wrapped.ts", "screen.mp4", "turned-wide.mp4", "rgb.mkv", "edit-list.mov", "gap.mkv")


def _named(name: str) -> Input:
    return next(one for one in INPUTS if one.name == name)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_comes_out_as_another_decoder_sees_it(tmp_path: Path, name: str) -> None:
    one = _named(name)
    source = one.written(tmp_path)

    walk = Walk(source, tmp_path, quality=8)

    assert check(one, source, walk.result, None).faults == ()


@pytest.mark.parametrize("name", PARTS)
def test_a_part_comes_out_as_another_decoder_sees_it(tmp_path: Path, name: str) -> None:
    one = _named(name)
    source = one.written(tmp_path)

    walk = Walk(source, tmp_path, {"step": "trim", "start": one.part[0], "end": one.part[1]}, quality=8)

    assert check(one, source, walk.result, one.part, upright=not walk.plan.partial).faults == ()


def test_the_check_sees_a_picture_too_few_and_sound_that_is_late(tmp_path: Path) -> None:
    """Held against another part than was cut, the same file is found wrong: the check can fail."""
    one = _named("plain.mp4")
    source = one.written(tmp_path)
    walk = Walk(source, tmp_path, {"step": "trim", "start": 0.6, "end": 2.2}, quality=8)

    wrong = " ".join(check(one, source, walk.result, (0.64, 2.2), upright=False).faults)

    assert "40 pictures instead of 39" in wrong
    assert "off by 40 ms" in wrong
