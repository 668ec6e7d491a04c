"""The poster: the frame that was asked for, or one worth looking at."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageFilter, ImageStat

from tests.media import BIG_BUCK_BUNNY
from tests.media.clips import Clip, make
from tests.media.storyboards import number_of
from tests.unit.moviola_workers.conftest import Bench


def _number(poster: Path) -> int:
    with Image.open(poster) as image:
        return number_of(image)


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


@pytest.mark.parametrize("gop", [10, 500], ids=["key frames", "one key frame"])
def test_of_black_faded_blurred_and_sharp_scenes_the_sharp_one_is_taken(bench: Bench, tmp_path: Path, gop: int) -> None:
    """Five scenes of two seconds: black, faded by two thirds, blurred, sharp, white."""
    with Image.open(bench.poster(scenes(tmp_path / "clip.mp4", gop=gop))) as image:
        corner = image.convert("L").crop((0, 0, 8, 8))
    # Only the sharp scene has a bright mark in its corner beside dark stripes.
    assert ImageStat.Stat(corner).mean[0] > 180


def scenes(path: Path, *, gop: int) -> Path:
    stripes = Image.new("L", (160, 96))
    stripes.putdata([220 if x // 6 % 2 == y // 6 % 2 else 40 for y in range(96) for x in range(160)])
    sharp = stripes.copy()
    sharp.paste(235, (0, 0, 16, 16))
    kinds = [
        Image.new("L", (160, 96), 0),
        stripes.point(lambda value: value // 3),
        stripes.filter(ImageFilter.GaussianBlur(12)),
        sharp,
        Image.new("L", (160, 96), 255),
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 160, 96, "yuv420p", gop
        for number in range(250):
            container.mux(stream.encode(av.VideoFrame.from_image(kinds[number // 50].convert("RGB"))))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("bounds", "size"),
    [
        ((80, None), (80, 48)),
        ((None, 24), (40, 24)),
        ((80, 24), (40, 24)),
        ((640, 480), (160, 96)),
    ],
)
def test_a_poster_keeps_within_its_bounds_and_is_never_enlarged(
    bench: Bench, tmp_path: Path, bounds: tuple[int | None, int | None], size: tuple[int, int]
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3))

    with Image.open(bench.poster(source, 0.0, bounds)) as image:
        assert (image.format, image.size) == ("JPEG", size)


def test_a_picture_of_one_pixel_has_a_poster(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=1, width=1, height=1, codec="ffv1"))

    with Image.open(bench.poster(source)) as image:
        assert image.size == (1, 1)


def test_wide_pixels_are_made_square(bench: Bench, tmp_path: Path) -> None:
    with Image.open(bench.poster(make(tmp_path / "clip.mp4", Clip(frames=2, shape=Fraction(4, 3))))) as image:
        assert image.size == (213, 96)


def test_the_frame_of_a_variable_rate_is_the_one_on_display(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.avi", Clip(frames=20, codec="mpeg4", b_frames=0))
    assert _number(bench.poster(source, 0.43)) == 10
    source = make(tmp_path / "clip.mp4", Clip(frames=6, times=[0, 40, 500, 510, 1900, 2500]))
    assert [_number(bench.poster(source, at)) for at in (0.499, 0.5, 1.89, 1.9)] == [1, 2, 3, 4]


def test_a_real_poster_is_no_black_one(bench: Bench) -> None:
    with Image.open(bench.poster(BIG_BUCK_BUNNY)) as image:
        assert image.size == (1280, 720)
        assert ImageStat.Stat(image.convert("L")).stddev[0] > 20
    assert bench.progress[-1] == 1.0
