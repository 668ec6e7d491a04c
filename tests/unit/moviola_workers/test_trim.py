"""Cutting by presentation time: exact to the frame and to the sample, whatever the file is like."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from moviola.errors import TaskFailure
from tests.media.clips import Clip, Tone, beeps, make, numbers, shown, times
from tests.unit.moviola_workers.conftest import Bench


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (0.0, 2.0, 0, 49),
        (0.4, 0.8, 10, 19),
        (0.41, 0.8, 11, 19),
        (0.4, 0.81, 10, 20),
        (1.03, 1.97, 26, 49),
        (0.039999999, 0.080000001, 1, 1),
        (1.96, 2.0, 49, 49),
    ],
)
@pytest.mark.parametrize("b_frames", [0, 3])
def test_trim_keeps_the_frames_from_start_on_and_before_end(
    bench: Bench, tmp_path: Path, b_frames: int, start: float, end: float, first: int, last: int
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(b_frames=b_frames, gop=25))

    result = bench.edit(source, (start, end))

    assert numbers(result) == list(range(first, last + 1))
    assert times(result) == [Fraction(n, 25) for n in range(last - first + 1)]


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi", "h264"])
def test_trim_is_exact_in_other_containers(bench: Bench, tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"clip.{suffix}", Clip(frames=150, gop=50, b_frames=0 if suffix == "avi" else 2))

    assert numbers(bench.edit(source, (4.2, 5.0))) == list(range(105, 125))


def test_a_late_start_is_sought_and_not_decoded_up_to(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=250, gop=25, b_frames=2))

    assert numbers(bench.edit(source, (9.0, 9.4))) == list(range(225, 235))


def test_an_open_gop_is_cut_without_broken_frames(bench: Bench, tmp_path: Path) -> None:
    options = (("x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=25:min-keyint=25:scenecut=0"),)
    source = make(tmp_path / "clip.mkv", Clip(frames=150, options=options))

    for start in (3.88, 3.92, 3.96, 4.0, 4.04):
        first = round(start * 25)
        assert numbers(bench.edit(source, (start, 4.4))) == list(range(first, 110))


def test_variable_frame_rate_keeps_its_times(bench: Bench, tmp_path: Path) -> None:
    stamps = [0, 33, 90, 133, 250, 260, 310, 500, 533, 560]
    source = make(tmp_path / "clip.mkv", Clip(times=stamps))

    result = bench.edit(source, (0.09, 0.54))

    assert numbers(result) == list(range(2, 9))
    assert times(result) == [Fraction(stamp - 90, 1000) for stamp in stamps[2:9]]


def test_a_picture_that_stands_still_is_shown_from_the_start_of_the_part(bench: Bench, tmp_path: Path) -> None:
    """A screen recording may show one frame for seconds; cutting inside it must not lose it."""
    source = make(tmp_path / "clip.mkv", Clip(times=[0, 1000, 6000, 6040]))

    result = bench.edit(source, (3.0, 4.0), (5.5, 6.04))

    assert numbers(result) == [1, 1, 2]
    assert times(result) == [0, 1, Fraction(3, 2)]
    assert bench.probe(result).duration == pytest.approx(1.54, abs=0.001)


def test_parts_are_joined_without_a_seam(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=150, tone=Tone(beeps=(0.48, 2.04, 5.2), seconds=6.0)))

    result = bench.edit(source, (0.4, 0.8), (2.0, 2.2), (5.0, 5.41))

    assert numbers(result) == [*range(10, 20), *range(50, 55), *range(125, 136)]
    assert {after - before for before, after in pairwise(times(result))} == {Fraction(1, 25)}
    assert beeps(result) == pytest.approx([0.08, 0.44, 0.8], abs=0.003)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", "mp4"), ("libopus", "mkv"), ("libmp3lame", "mp4"), ("flac", "mkv")]
)
def test_sound_stays_with_the_picture(bench: Bench, tmp_path: Path, codec: str, suffix: str) -> None:
    tone = Tone(codec=codec, beeps=(0.4, 1.2, 1.6))
    source = make(tmp_path / f"clip.{suffix}", Clip(frames=50, tone=tone))
    before = beeps(source)

    result = bench.edit(source, (1.0, 1.9))

    # A start on a frame: the sound moves by exactly as much as the picture.
    assert numbers(result)[0] == 25
    assert beeps(result) == pytest.approx([moment - 1.0 for moment in before[1:]], abs=0.004)


def test_a_part_behind_the_end_is_refused(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4")

    with pytest.raises(TaskFailure) as caught:
        bench.edit(source, (2.5, 3.0))

    assert caught.value.code == "recipe.start_beyond_end"
    assert caught.value.permanent


def test_progress_grows_to_one(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=100))

    bench.edit(source, (0.0, 3.0))

    assert bench.progress[-1] == 1.0
    assert all(0 <= done <= 1 for done in bench.progress)
    assert len({round(done, 2) for done in bench.progress}) > 20


def test_the_last_frame_is_shown_as_long_as_the_others(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))

    assert bench.probe(bench.edit(source, (0.4, 0.8))).video.duration == pytest.approx(0.4)
    assert len(shown(bench.edit(source))) == 50
    assert bench.probe(bench.edit(source)).duration == pytest.approx(2.0)


def test_the_way_to_a_late_part_is_reported_too(bench: Bench, tmp_path: Path) -> None:
    """A file with one key frame is decoded from its beginning: as long as that takes, the task is alive."""
    source = make(tmp_path / "clip.mp4", Clip(frames=50, gop=100))

    bench.edit(source, (1.6, 1.8))

    assert bench.progress[:40] == [0.0] * 40
    assert bench.progress == sorted(bench.progress)
