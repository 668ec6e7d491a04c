"""Segments of a playlist, the grid of key frames, and threads shared by encoders: arithmetic only."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola_workers.engine.codec_names import codec_name
from moviola_workers.engine.encoders import split_threads
from moviola_workers.engine.fragments import Fragment, FragmentedFile, read_fragments
from moviola_workers.engine.result import KeyGrid
from moviola_workers.engine.segments import Rendition, Segment, picture_segments, sound_segments


def rendition(*segments: tuple[float, int]) -> Rendition:
    return Rendition(0, tuple(Segment(0, size, Fraction(str(seconds)), 1, 1) for seconds, size in segments))


def test_the_peak_is_that_of_segments_that_last_about_a_target() -> None:
    made = rendition((4, 1000), (4, 3000), (4, 1000), (0.5, 5000))
    assert made.target == 4
    # The last one is too short to count alone, and counts together with the one before it.
    assert made.peak(made.sizes, 4) == Fraction(6000 * 8) / Fraction("4.5")
    assert made.average(made.sizes) == Fraction(10_000 * 8) / Fraction("12.5")


def test_a_single_short_segment_is_its_own_peak() -> None:
    made = rendition((0.2, 100))
    assert made.target == 1
    assert made.peak(made.sizes, 4) == 4000


@pytest.mark.parametrize(("longest", "target"), [(4.4, 4), (4.5, 5), (0.1, 1)])
def test_the_target_is_the_longest_segment_rounded(longest: float, target: int) -> None:
    assert rendition((longest, 1)).target == target


def test_the_last_picture_is_shown_to_its_end() -> None:
    fragments = (Fragment(10, 5, Fraction(0), Fraction(2), 50, 2), Fragment(15, 5, Fraction(2), Fraction(1), 25, 2))
    made = picture_segments(FragmentedFile(b"0123456789", fragments, 20), Fraction(7, 2))
    assert [one.duration for one in made.segments] == [2, Fraction(3, 2)]
    assert made.frame_rate == 25


def test_sound_does_not_drift_away_from_the_picture() -> None:
    length = Fraction(24 * 1024, 48000)
    run_in = Fraction(-1024, 48000)
    fragments = tuple(
        Fragment(100 * number, 100, run_in + number * length, length, 24, 10) for number in range(round(3600 / length))
    )
    made = sound_segments(FragmentedFile(b"", fragments, 0), Fraction(4))
    begins = [sum((one.duration for one in made.segments[:count]), Fraction(0)) for count in range(899)]
    assert len(made.segments) == 900
    assert all(abs(begin - 4 * number) <= length for number, begin in enumerate(begins))
    assert sum(one.size for one in made.segments) == 100 * len(fragments)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 4000))
def test_a_key_frame_is_the_first_picture_of_each_cell_of_the_grid(steps: list[int], cell: int) -> None:
    grid, at, seen = KeyGrid(Fraction(cell, 1000), Fraction(1, 1000)), 0, set()
    for step in steps:
        first = at // cell not in seen
        seen.add(at // cell)
        assert grid.begins(at) == first
        at += step


@pytest.mark.parametrize(
    ("threads", "codec", "shares"),
    [
        (1, "h264", [1, 1, 1]),
        (2, "h264", [2, 2, 2]),
        (16, "h264", [10, 4, 2]),
        (16, "av1", [1, 1, 1]),
    ],
)
def test_encoders_share_threads_by_the_size_of_their_pictures(threads: int, codec: str, shares: list[int]) -> None:
    sizes = [(1920, 1080), (1280, 720), (854, 480)]
    assert split_threads(threads, sizes, codec) == shares  # type: ignore[arg-type]  # parametrized
    assert split_threads(threads, sizes[:1], codec) == [threads]  # type: ignore[arg-type]  # parametrized


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00\x00\x08free", b"\x00\x00\x00\x08moov\x00\x00\x00\x08moof\x00\x00\x00\x08mdat"]
)
def test_a_file_that_is_no_row_of_fragments_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(data)
    with pytest.raises((ValueError, IndexError)):
        read_fragments(path)


def test_a_codec_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no name"):
        codec_name(b"\x00\x00\x00\x08moov")
