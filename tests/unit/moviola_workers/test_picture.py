"""What the picture looks like afterwards: upright, in square pixels, on its canvas, in standard colours."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from moviola.geometry import fit
from moviola.messages import Limits
from moviola.plan import Scale
from moviola.planner import compile_plan
from moviola.recipe import Recipe, Resize
from moviola_workers.engine.geometry import orientation_from
from tests.media.clips import Clip, Shown, make, matrix, numbered, numbers, shown, times
from tests.unit.moviola_workers.conftest import Bench

CORNERS = {"upper left": (0.2, 0.2), "upper right": (0.8, 0.2), "lower left": (0.2, 0.8), "lower right": (0.8, 0.8)}


def _corners(frame: Shown) -> list[int]:
    """Brightness of the four quarters, rounded to what ``quarters`` draws."""
    drawn = (220, 160, 100, 40)
    return [min(drawn, key=lambda one: abs(one - frame.brightness(*place))) for place in CORNERS.values()]


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, [220, 160, 100, 40]),
        (90, False, [100, 220, 40, 160]),
        (180, False, [40, 100, 160, 220]),
        (270, False, [160, 40, 220, 100]),
        (0, True, [160, 220, 40, 100]),
        (90, True, [40, 160, 100, 220]),
        (180, True, [100, 40, 220, 160]),
        (270, True, [220, 100, 160, 40]),
    ],
)
def test_rotation_and_mirroring_are_applied_to_the_pixels(
    bench: Bench, tmp_path: Path, rotation: int, mirrored: bool, expected: list[int]
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3, quarters=True, rotation=rotation, mirrored=mirrored))
    size = (96, 160) if rotation in (90, 270) else (160, 96)

    facts = bench.probe(source)
    result = bench.edit(source, size=size)

    assert (facts.video.rotation, facts.video.mirrored) == (rotation, mirrored)
    assert (facts.video.display_width, facts.video.display_height) == size
    frame = shown(result)[0]
    assert (frame.width, frame.height) == size
    assert _corners(frame) == expected
    after = bench.probe(result).video
    assert (after.rotation, after.mirrored) == (0, False)


def test_an_oblique_matrix_is_rounded_to_the_nearest_right_angle() -> None:
    turned = orientation_from(_packed([40000, 50000, 0, -50000, 40000, 0, 0, 0, 1 << 30]))

    assert turned.rotation == 90
    assert not turned.exact


def test_a_matrix_that_flattens_the_picture_is_ignored() -> None:
    assert orientation_from(_packed([0] * 9)).rotation == 0


def test_every_matrix_of_a_right_angle_is_read_as_it_was_meant() -> None:
    for rotation in (0, 90, 180, 270):
        for mirrored in (False, True):
            read = orientation_from(_packed(matrix(rotation, mirrored=mirrored)))
            assert (read.rotation, read.mirrored, read.exact) == (rotation, mirrored, True)


def _packed(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little", signed=True) for value in values)


@pytest.mark.parametrize(("width", "height"), [(33, 17), (117, 77), (1, 1), (2, 2), (3, 200)])
def test_odd_and_tiny_sizes_become_even(bench: Bench, tmp_path: Path, width: int, height: int) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=3, width=width, height=height, codec="ffv1", pixels="yuv444p"))

    facts = bench.probe(source)
    only, *_ = compile_plan(Recipe(steps=()), facts).passes
    assert only.parameters.task == "edit"
    result = bench.edit(source, picture=only.parameters.picture, size=(only.parameters.width, only.parameters.height))

    after = bench.probe(result).video
    assert (facts.video.width, facts.video.height) == (width, height)
    assert (after.width, after.height) == (only.parameters.width, only.parameters.height)
    assert after.width % 2 == after.height % 2 == 0


def test_pixels_that_are_not_square_are_stretched(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3, shape=Fraction(2)))

    facts = bench.probe(source)
    only, *_ = compile_plan(Recipe(steps=()), facts).passes
    assert only.parameters.task == "edit"
    result = bench.edit(source, picture=only.parameters.picture, size=(320, 96))

    assert facts.video.sample_aspect_ratio == "2:1"
    assert (facts.video.display_width, facts.video.display_height) == (320, 96)
    after = bench.probe(result).video
    assert (after.width, after.height, after.sample_aspect_ratio) == (320, 96, "1:1")


@pytest.mark.parametrize("fitting", ["contain", "cover", "stretch"])
def test_the_canvas_is_exact_and_the_picture_is_centred(bench: Bench, tmp_path: Path, fitting: str) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=2, quarters=True))
    step = Resize.model_validate({"width": 64, "height": 64, "fit": fitting})

    (frame, *_) = shown(bench.edit(source, picture=(fit(step, 160, 96),), size=(64, 64)))

    assert (frame.width, frame.height) == (64, 64)
    black = frame.brightness(0.5, 0.05) < 20 and frame.brightness(0.5, 0.95) < 20
    assert black == (fitting == "contain")
    assert frame.brightness(0.25, 0.4) > frame.brightness(0.75, 0.4) > frame.brightness(0.25, 0.6)


def test_numbers_survive_scaling_and_order_is_kept(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=30))

    result = bench.edit(source, picture=(Scale(width=80, height=48, canvas_width=80, canvas_height=48),), size=(80, 48))

    assert numbers(result) == list(range(30))


@pytest.mark.parametrize(
    "pixels", ["yuv444p", "yuv422p10le", "yuv420p10le", "gray", "gray10le", "yuvj420p", "yuva420p", "gbrp10le", "bgra"]
)
def test_every_pixel_format_becomes_yuv420p_in_limited_range(bench: Bench, tmp_path: Path, pixels: str) -> None:
    codec = "mjpeg" if pixels == "yuvj420p" else "ffv1"
    source = make(tmp_path / "clip.mkv", Clip(frames=4, codec=codec, pixels=pixels))

    after = bench.edit(source)

    facts = bench.probe(after).video
    assert facts.pixel_format == "yuv420p"
    assert facts.color_range == "tv"
    assert facts.color_space is not None
    assert numbers(after) == [0, 1, 2, 3]


@pytest.mark.parametrize(("transfer", "name"), [(16, "pq"), (18, "hlg")])
def test_hdr_becomes_standard_range(bench: Bench, tmp_path: Path, transfer: int, name: str) -> None:
    source = make(
        tmp_path / "clip.mkv",
        Clip(
            frames=3,
            codec="libx265",
            pixels="yuv420p10le",
            transfer=transfer,
            options=(("x265-params", "log-level=none"),),
        ),
    )

    facts = bench.probe(source).video
    after = bench.probe(bench.edit(source)).video

    assert (facts.hdr, facts.bit_depth) == (name, 10)
    assert after.hdr is None
    assert (after.color_space, after.color_primaries, after.color_transfer) == ("bt709", "bt709", "bt709")
    assert (after.pixel_format, after.bit_depth) == ("yuv420p", 8)


def test_interlaced_pictures_become_progressive(bench: Bench, tmp_path: Path) -> None:
    options = (("flags", "+ildct+ilme"), ("x264-params", "tff=1"))
    source = make(tmp_path / "clip.mp4", Clip(frames=20, options=options, b_frames=0))

    facts = bench.probe(source)
    result = bench.edit(source, (0.2, 0.6))

    assert facts.video.interlaced
    assert not bench.probe(result).video.interlaced
    assert numbers(result) == list(range(5, 15))
    assert times(result) == [Fraction(n, 25) for n in range(10)]


def test_the_lines_of_two_fields_are_not_combed_into_one_picture(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    options = {"preset": "ultrafast", "qp": "4", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(6):
            # A bright bar that moves on from field to field.
            fields = [b"\x28" * at + b"\xd2" * 24 + b"\x28" * (136 - at) for at in (16 * number, 16 * number + 8)]
            frame = VideoFrame(160, 96, "yuv420p")
            frame.planes[0].update(b"".join(line.ljust(frame.planes[0].line_size) for line in fields) * 48)
            for plane in frame.planes[1:]:
                plane.update(b"\x80" * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    frames = shown(bench.edit(source))

    combed, mended = _teeth(shown(source)[2]), _teeth(frames[2])
    assert combed > 1000
    assert mended < combed / 20


def _teeth(frame: Shown) -> int:
    """How many pixels differ much from the one below."""
    return sum(
        abs(one - other) > 80 for line, below in pairwise(frame.luma) for one, other in zip(line, below, strict=True)
    )


def test_a_turned_picture_of_pixels_that_are_not_square_is_stretched_then_turned(bench: Bench, tmp_path: Path) -> None:
    clip = Clip(frames=3, quarters=True, shape=Fraction(2), rotation=90)
    source = make(tmp_path / "clip.mp4", clip)

    facts = bench.probe(source)
    plan = compile_plan(Recipe(steps=(Resize(height=160),)), facts)
    edit = plan.passes[0].parameters
    assert edit.task == "edit"
    (frame, *_) = shown(bench.edit(source, picture=edit.picture, size=(edit.width, edit.height)))

    assert (facts.video.display_width, facts.video.display_height) == (96, 320)
    assert (frame.width, frame.height) == (48, 160)
    assert _corners(frame) == [100, 220, 40, 160]


@pytest.mark.parametrize(("upscale", "inside"), [(False, 160), (True, 320)])
def test_a_small_picture_grows_only_where_that_is_asked_for(
    bench: Bench, tmp_path: Path, upscale: bool, inside: int
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=2, quarters=True))
    step = Resize(width=320, height=192, upscale=upscale)

    (frame, *_) = shown(bench.edit(source, picture=(fit(step, 160, 96),), size=(320, 192)))

    lit = [x for x in range(frame.width) if frame.luma[frame.height // 2 - 4][x] > 100]
    assert (frame.width, frame.height) == (320, 192)
    assert len(lit) == pytest.approx(inside, abs=2)


def test_a_size_that_changes_midway_is_followed(bench: Bench, tmp_path: Path) -> None:
    first = make(tmp_path / "first.h264", Clip(frames=10))
    second = make(tmp_path / "second.h264", Clip(frames=10, width=320, height=192))
    source = tmp_path / "both.h264"
    source.write_bytes(first.read_bytes() + second.read_bytes())

    frames = shown(bench.edit(source))

    assert [frame.number for frame in frames] == [*range(10), *range(10)]
    assert {(frame.width, frame.height) for frame in frames} == {(160, 96)}


def test_a_thousand_frames_a_second_are_thinned_to_the_limit(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=200, rate=1000, times=range(200)))

    result = bench.edit(source, limits=Limits(max_frame_rate=100))

    assert times(result) == [Fraction(n, 100) for n in range(20)]


PERSONAL = {
    "title": "secret title",
    "artist": "secret artist",
    "comment": "secret comment",
    "location": "+41.3874+002.1686/",
    "com.apple.quicktime.location.ISO6709": "+41.3874+002.1686+012.000/",
    "com.apple.quicktime.make": "secret make",
    "com.apple.quicktime.model": "secret model",
    "make": "secret make",
    "model": "secret model",
    "creation_time": "2021-02-03T04:05:06.000000Z",
}


# A container, the muxer's flags, and what shows that it holds a place.
HOLDERS = {
    "mov, with keys": ("mov", "+use_metadata_tags", b"+41.3874"),
    "mov": ("mov", "", b"\xa9xyz"),
    "mp4": ("mp4", "", b"loci"),
    "mkv": ("mkv", "", b"+41.3874"),
}


@pytest.fixture(params=HOLDERS.values(), ids=HOLDERS)
def personal(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A clip that says where, when, by whom and with what it was taken, in its header, its streams and a chapter."""
    suffix, flags, place = request.param
    path = tmp_path / f"clip.{suffix}"
    options = {"movflags": flags} if flags else {}
    chapter = {"id": 1, "start": 0, "end": 40, "time_base": Fraction(1, 1000), "metadata": {"title": "secret chapter"}}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(PERSONAL)
        container.set_chapters([chapter])
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.metadata.update({"creation_time": PERSONAL["creation_time"], "handler_name": "secret handler"})
        for number in range(3):
            frame = numbered(Clip(), number)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    written = path.read_bytes()
    assert b"secret" in written
    assert place in written
    return path


@pytest.mark.parametrize("copy_packets", [False, True], ids=["encoded", "copied"])
def test_nothing_of_the_metadata_is_carried_over(bench: Bench, personal: Path, copy_packets: bool) -> None:
    result = bench.edit(personal, mute=True, copy_packets=copy_packets)

    written = result.read_bytes()
    assert b"secret" not in written
    assert not any(place in written for _, _, place in HOLDERS.values())
    assert b"2021" not in written
    with av.open(str(result)) as container:
        told = {**container.metadata, **container.streams.video[0].metadata}
        assert container.chapters() == []
    assert not told.keys() & {key.lower() for key in PERSONAL}
    # Both times of the movie's header, in seconds since 1904, and those of its track.
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = written.index(box) + 8
        assert written[at : at + 8] == bytes(8)


def test_the_index_lies_in_front_and_groups_are_closed(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=200, rate=10))

    result = bench.edit(source)

    data = result.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    interval = bench.probe(result).video.keyframe_interval
    assert interval is not None
    assert interval <= 5.0
