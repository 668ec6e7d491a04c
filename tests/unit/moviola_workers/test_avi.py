"""AVI says when packets are decoded, not when pictures are shown; only the decoder knows that."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.media.clips import Clip, Tone, beeps, make, numbers, times
from tests.unit.moviola_workers.conftest import Bench
from tests.unit.moviola_workers.plan_walk import Walk


@pytest.mark.parametrize("b_frames", [0, 2])
def test_no_picture_of_h264_in_avi_is_lost_or_late(tmp_path: Path, b_frames: int) -> None:
    source = make(tmp_path / "clip.avi", Clip(b_frames=b_frames))

    walk = Walk(source, tmp_path)

    assert numbers(walk.result) == list(range(50))
    assert times(walk.result) == [Fraction(n, 25) for n in range(50)]


def test_the_end_is_where_the_last_picture_goes(bench: Bench, tmp_path: Path) -> None:
    assert bench.probe(make(tmp_path / "clip.avi")).duration == pytest.approx(2.0)


def test_sound_of_an_avi_is_in_step(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.avi", Clip(b_frames=0, tone=Tone(codec="pcm_s16le", beeps=(1.0,))))

    assert beeps(bench.edit(source, (0.4, 1.8)))[0] == pytest.approx(0.6, abs=0.025)
    assert numbers(bench.edit(source, (0.4, 1.8))) == list(range(10, 45))


def test_sound_whose_codec_has_a_number_and_no_name_is_heard(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.avi", Clip(b_frames=0, tone=Tone(codec="aac", beeps=(1.0,))))

    assert len(beeps(Walk(source, tmp_path).result)) == 1
