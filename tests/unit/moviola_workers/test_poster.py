"""The poster: the frame that was asked for, or one worth looking at."""

from pathlib import Path

import pytest
from PIL import Image, ImageStat

from tests.media import BIG_BUCK_BUNNY
from tests.media.clips import BITS, BRIGHT, DARK, Clip, make
from tests.unit.moviola_workers.conftest import Bench


def _number(poster: Path) -> int:
    with Image.open(poster) as image:
        gray = image.convert("L")
        values = [gray.getpixel((int((bit + 0.5) * gray.width / BITS), gray.height // 2)) for bit in range(BITS)]
    return sum(1 << bit for bit, value in enumerate(values) if isinstance(value, int) and value > (DARK + BRIGHT) // 2)


@pytest.mark.parametrize(("at", "number"), [(0.0, 0), (0.4, 10), (0.43, 10), (1.99, 49), (100.0, 49)])
def test_the_poster_shows_the_frame_on_display_at_that_time(
    bench: Bench, tmp_path: Path, at: float, number: int
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(b_frames=3, gop=30))

    assert _number(bench.poster(source, at)) == number


def test_the_poster_is_upright_and_of_the_size_on_the_screen(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3, quarters=True, rotation=90))

    with Image.open(bench.poster(source, 0.0)) as image:
        assert (image.format, image.size) == ("JPEG", (96, 160))
        gray = image.convert("L")
        corners = [gray.getpixel(place) for place in ((20, 20), (75, 20), (20, 140), (75, 140))]
    assert sorted(corners) == [corners[2], corners[0], corners[3], corners[1]]


def test_a_dark_beginning_is_passed_over(bench: Bench, tmp_path: Path) -> None:
    # Number 0 is even darkness; 170 shows stripes.
    source = make(tmp_path / "clip.mp4", Clip(frames=200, gop=10))

    assert _number(bench.poster(source)) != 0


def test_a_real_poster_is_no_black_one(bench: Bench) -> None:
    with Image.open(bench.poster(BIG_BUCK_BUNNY)) as image:
        assert image.size == (1280, 720)
        assert ImageStat.Stat(image.convert("L")).stddev[0] > 20
    assert bench.progress[-1] == 1.0
