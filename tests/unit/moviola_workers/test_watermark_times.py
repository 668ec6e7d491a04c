"""When the mark is seen: from the frame that was asked for to the one before the end, whatever a trim does to them."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from moviola.plan import Edit
from moviola.planner import compile_plan
from moviola.recipe import parse_recipe
from moviola_workers.job import Job
from tests.media.clips import Clip, make, shown
from tests.unit.moviola_workers.conftest import FAST, Bench

GROUND, WHITE = 40, 235
# Screen recordings stand still for long; the last frame is on display for 40 ms.
STILL = (0, 40, 80, 2000, 2040, 5000, 5040)


@pytest.fixture
def steady(tmp_path: Path) -> Path:
    return make(tmp_path / "steady.mp4", Clip(frames=75, quarters=True))


@pytest.fixture
def still(tmp_path: Path) -> Path:
    return make(tmp_path / "still.mkv", Clip(times=STILL, quarters=True))


@pytest.fixture
def square(tmp_path: Path) -> Mapping[str, Path]:
    """A white square, to be laid where the clips are dark."""
    path = tmp_path / "square.png"
    Image.new("RGBA", (24, 24), (255, 255, 255, 255)).save(path)
    return {"square": path}


def mark(**wishes: object) -> dict[str, object]:
    return {"step": "watermark", "image": "square", "opacity": 1.0, "margin": 8, **wishes}


def seen(
    bench: Bench, source: Path, square: Mapping[str, Path], *steps: Mapping[str, object], fusion: bool = True
) -> list[tuple[Fraction, float]]:
    """Run the recipe as planned; each frame's time, and how strong the mark is in it."""
    recipe = parse_recipe({"steps": list(steps), "output": {"preset": FAST.preset, "quality": FAST.quality}})
    *edits, _ = compile_plan(recipe, bench.probe(source), fusion=fusion).passes  # the last one looks at the result
    for number, one in enumerate(edits):
        assert isinstance(one.parameters, Edit)
        scratch = bench.directory / f"{fusion}{number}"
        scratch.mkdir()
        job = Job(kind=one.kind, parameters=one.parameters, source=source, scratch=scratch, resources=square)
        source = bench.run(job).made[0].path
    return [(frame.time, _strength(frame.luma[76][140])) for frame in shown(source)]


def _strength(luma: int) -> float:
    return round((luma - GROUND) / (WHITE - GROUND), 2)


def _times(frames: list[tuple[Fraction, float]]) -> list[float]:
    """When the mark is seen at all."""
    return [float(time) for time, strength in frames if strength > 0.05]


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        ({"start": 1.0, "end": 2.0}, 1.0, 1.96),
        ({"start": 1.01, "end": 2.01}, 1.04, 2.0),
        ({"start": 2.5}, 2.52, 2.96),
        ({"end": 0.04}, 0.0, 0.0),
        ({"start": 1, "end": 9999}, 1.0, 2.96),
    ],
)
def test_a_mark_is_seen_from_its_start_until_before_its_end(
    bench: Bench, steady: Path, square: Mapping[str, Path], window: Mapping[str, float], first: float, last: float
) -> None:
    frames = seen(bench, steady, square, mark(**window))

    times = _times(frames)
    assert len(frames) == 75
    assert (times[0], times[-1]) == (first, last)
    assert len(times) == round((last - first) * 25) + 1
    assert all(strength > 0.95 for time, strength in frames if first <= time <= last)


def test_a_mark_fades_in_and_out(bench: Bench, steady: Path, square: Mapping[str, Path]) -> None:
    strengths = dict(seen(bench, steady, square, mark(start=1.0, end=2.0, fade=0.4)))

    expected = {24: 0.0, 25: 0.0, 26: 0.1, 30: 0.5, 34: 0.9, 35: 1.0, 40: 1.0, 45: 0.5, 49: 0.1, 50: 0.0}
    for number, strength in expected.items():
        assert strengths[Fraction(number, 25)] == pytest.approx(strength, abs=0.03)


def test_a_fade_alone_is_at_the_videos_own_ends(bench: Bench, steady: Path, square: Mapping[str, Path]) -> None:
    strengths = [strength for _, strength in seen(bench, steady, square, mark(fade=0.4))]

    assert strengths[:11] == pytest.approx([number / 10 for number in range(11)], abs=0.03)
    assert strengths[-10:] == pytest.approx([1 - number / 10 for number in range(10)], abs=0.03)


def test_a_mark_comes_on_time_even_while_the_picture_stands_still(
    bench: Bench, still: Path, square: Mapping[str, Path]
) -> None:
    frames = seen(bench, still, square, mark(start=1.0, end=3.0))

    assert frames == [(time, pytest.approx(strength, abs=0.03)) for time, strength in [
        (0, 0), (Fraction("0.04"), 0), (Fraction("0.08"), 0), (1, 1), (2, 1), (Fraction("2.04"), 1), (3, 0), (5, 0),
        (Fraction("5.04"), 0),
    ]]  # fmt: skip


def test_a_mark_fades_smoothly_while_the_picture_stands_still(
    bench: Bench, still: Path, square: Mapping[str, Path]
) -> None:
    frames = [(time, strength) for time, strength in seen(bench, still, square, mark(start=1, fade=0.5)) if time >= 1]

    rising = [strength for time, strength in frames if time <= Fraction("1.5")]
    assert len(rising) >= 13
    assert rising == sorted(rising)
    assert rising[6] == pytest.approx(0.48, abs=0.03)


ORDERS = {
    "mark, trim": (mark(start=0.5, end=1.5), {"step": "trim", "start": 0.73, "end": 2.5}),
    "mark, cut out of its middle": (
        mark(start=0.5, end=2.0, fade=0.4),
        {"step": "trim", "cut": [{"start": 0.71, "end": 1.13}, {"start": 1.77, "end": 1.9}]},
    ),
    "mark, trim, trim": (
        mark(start=0.5, end=2.0),
        {"step": "trim", "keep": [{"start": 0.12, "end": 0.92}, {"start": 1.52, "end": 2.72}]},
        {"step": "trim", "start": 0.33},
    ),
    "trim, mark": ({"step": "trim", "start": 0.73, "end": 2.5}, mark(start=0.5, end=1.5, fade=0.2)),
    "trim, mark, trim": (
        {"step": "trim", "keep": [{"start": 0.2, "end": 1.0}, {"start": 1.4, "end": 2.8}]},
        mark(start=0.4, end=1.4, fade=0.2),
        {"step": "trim", "start": 0.2, "end": 2.0},
    ),
    "mark cut away": (mark(start=0.5, end=1.0), {"step": "trim", "start": 1.0}),
    "two marks, trim": (
        mark(start=0.5, end=1.5),
        mark(start=1.0, end=2.0, position="top-left"),
        {"step": "trim", "start": 0.73},
    ),
}


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
def test_the_mark_is_in_the_same_frames_in_one_pass_and_in_several(
    bench: Bench, steady: Path, square: Mapping[str, Path], steps: tuple[Mapping[str, object], ...]
) -> None:
    fused = seen(bench, steady, square, *steps)
    chained = seen(bench, steady, square, *steps, fusion=False)

    assert [time for time, _ in fused] == [time for time, _ in chained]
    assert [strength for _, strength in fused] == pytest.approx([strength for _, strength in chained], abs=0.04)


@pytest.mark.parametrize(
    "trim",
    [{"start": 1.5, "end": 4.5}, {"start": 2.01}, {"cut": [{"start": 0.5, "end": 1.5}, {"start": 2.5, "end": 3}]}],
)
def test_a_still_picture_is_marked_alike_in_one_pass_and_in_several(
    bench: Bench, still: Path, square: Mapping[str, Path], trim: Mapping[str, object]
) -> None:
    steps = mark(start=1.0, end=3.0), {"step": "trim", **trim}

    fused = seen(bench, still, square, *steps)
    chained = seen(bench, still, square, *steps, fusion=False)

    for time in (Fraction(number, 10) for number in range(30)):
        assert _at(fused, time) == pytest.approx(_at(chained, time), abs=0.04)


def _at(frames: list[tuple[Fraction, float]], time: Fraction) -> float:
    """How strong the mark is in the frame on display."""
    return [strength for begin, strength in frames if begin <= time][-1]


def test_frames_that_wait_in_a_filter_meet_their_own_mark(
    bench: Bench, tmp_path: Path, square: Mapping[str, Path]
) -> None:
    """Taking fields apart needs the frame that follows, and runs on a clock of its own."""
    options = (("flags", "+ildct+ilme"), ("x264-params", "tff=1"))
    source = make(tmp_path / "fields.mp4", Clip(frames=30, quarters=True, options=options, b_frames=0))

    frames = seen(bench, source, square, mark(start=0.4, end=0.8), {"step": "resize", "width": 160}, mark(start=0.6))

    assert bench.probe(source).video.interlaced
    assert _times(frames) == [number / 25 for number in range(10, 30)]


def test_a_mark_goes_on_where_the_picture_changes_its_size(
    bench: Bench, tmp_path: Path, square: Mapping[str, Path]
) -> None:
    first = make(tmp_path / "first.h264", Clip(frames=10, quarters=True))
    second = make(tmp_path / "second.h264", Clip(frames=10, quarters=True, width=320, height=192))
    source = tmp_path / "both.h264"
    source.write_bytes(first.read_bytes() + second.read_bytes())

    frames = seen(bench, source, square, {"step": "resize", "width": 160, "height": 96}, mark(start=0.2, end=0.6))

    assert _times(frames) == [number / 25 for number in range(5, 15)]
