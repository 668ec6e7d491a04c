"""Colours look the same afterwards, however a file coded them and whatever it said of them; HDR is brought down."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.media.patches import PATCHES, SIDE, Colours, Rgb, make_patches, read_patches
from tests.unit.moviola_workers.conftest import Bench

BT709, BT470BG, SMPTE170M, BT2020 = 1, 5, 6, 9
PQ, HLG, BT2020_10 = 16, 18, 14


def after(bench: Bench, path: Path, colours: Colours, patches: tuple[Rgb, ...] = tuple(PATCHES)) -> list[Rgb]:
    """The patches in the result of an edit that changes nothing else; the result must tell its colours."""
    source = make_patches(path, colours, patches)
    result = bench.edit(source, size=(SIDE * len(patches), colours.height))
    facts = bench.probe(result).video
    assert (facts.pixel_format, facts.color_range) == ("yuv420p", "tv")
    assert None not in (facts.color_space, facts.color_primaries, facts.color_transfer)
    return read_patches(result, len(patches))


def assert_same(shown: list[Rgb], expected: tuple[Rgb, ...], tolerance: float = 0.015) -> None:
    for one, other in zip(shown, expected, strict=True):
        assert one == pytest.approx(other, abs=tolerance)


SDR = {
    "BT.709": Colours(),
    "BT.709, full range": Colours(full=True),
    "BT.709, 10 bits": Colours(depth=10, pixels="yuv422p10le"),
    "BT.709, 10 bits, full range": Colours(depth=10, pixels="yuv420p10le", full=True),
    "BT.601, 525 lines": Colours(matrix=SMPTE170M, primaries=SMPTE170M, transfer=SMPTE170M),
    "BT.601, 625 lines, full range": Colours(matrix=BT470BG, primaries=BT470BG, transfer=SMPTE170M, full=True),
    "a small picture that tells nothing": Colours(matrix=SMPTE170M, told=False),
    "a large picture that tells nothing": Colours(matrix=BT709, told=False, height=720),
    "JPEG, 4:2:0": Colours(matrix=BT470BG, pixels="yuvj420p", codec="mjpeg", full=True, told=False),
    "JPEG, 4:4:4": Colours(matrix=BT470BG, pixels="yuvj444p", codec="mjpeg", full=True, told=False),
    "H.264, full range": Colours(full=True, pixels="yuv420p", codec="libx264"),
}


@pytest.mark.parametrize("colours", SDR.values(), ids=SDR)
def test_colours_of_standard_range_stay(bench: Bench, tmp_path: Path, colours: Colours) -> None:
    assert_same(after(bench, tmp_path / "clip.mkv", colours), tuple(PATCHES))


def test_wide_colours_of_standard_range_become_bt709(bench: Bench, tmp_path: Path) -> None:
    colours = Colours(matrix=BT2020, primaries=BT2020, transfer=BT2020_10, depth=10, pixels="yuv444p10le", full=True)

    shown = after(bench, tmp_path / "clip.mkv", colours, ((1, 1, 1), (0.5, 0.5, 0.5), (0, 0, 0), (0.8, 0.6, 0.5)))

    # The last one by BT.2087: linear, through the matrix from BT.2020's primaries to BT.709's, and back.
    assert_same(shown, ((1, 1, 1), (0.5, 0.5, 0.5), (0, 0, 0), (0.911, 0.571, 0.481)))


MASTERED = "log-level=none:crf=4:hdr10=1:repeat-headers=1:max-cll=1000,400:"
MASTERED += "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
# What graphics white (203 cd/m²), 400, 700 and 1000 cd/m² are in each transfer.
PQ_STEPS = (0.0, 0.2, 0.4, 0.581, 0.652, 0.713, 0.752)
HLG_STEPS = (0.0, 0.2, 0.5, 0.75, 0.85, 0.93, 1.0)
HDR = {
    "PQ": (PQ, "log-level=none:crf=4", PQ_STEPS),
    "PQ, mastered at 1000": (PQ, MASTERED, PQ_STEPS),
    "HLG": (HLG, "log-level=none:crf=4", HLG_STEPS),
}


@pytest.mark.parametrize(("transfer", "params", "steps"), HDR.values(), ids=HDR)
def test_hdr_keeps_its_highlights_apart(
    bench: Bench, tmp_path: Path, transfer: int, params: str, steps: tuple[float, ...]
) -> None:
    """Tone-mapped, not cut off: what is brighter than graphics white is still brighter afterwards."""
    colours = Colours(
        matrix=BT2020,
        primaries=BT2020,
        transfer=transfer,
        depth=10,
        pixels="yuv420p10le",
        codec="libx265",
        height=64,
        options=(("preset", "ultrafast"), ("x265-params", params)),
    )

    shown = after(bench, tmp_path / "clip.mp4", colours, tuple((step, step, step) for step in steps))

    greens = [green for _, green, _ in shown]
    assert greens[0] == pytest.approx(0, abs=0.01)
    assert all(brighter - darker > 0.02 for darker, brighter in pairwise(greens))
    assert 0.55 < greens[3] < 0.8
    assert greens[-1] < 1.01
    assert all(max(rgb) - min(rgb) < 0.02 for rgb in shown)
    facts = bench.probe(bench.directory / "result.mp4").video
    assert (facts.color_space, facts.color_primaries, facts.color_transfer) == ("bt709", "bt709", "bt709")
