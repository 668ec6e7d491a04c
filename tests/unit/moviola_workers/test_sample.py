"""The clip that ``moviola up`` offers."""

from pathlib import Path

import pytest

from moviola_workers.engine.sample import make_sample
from tests.unit.moviola_workers.conftest import Bench


def test_the_sample_is_a_clip_with_sound(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "sample.mp4"

    make_sample(path, seconds=1.0)

    facts = bench.probe(path)
    assert facts.duration == pytest.approx(1.0)
    assert (facts.video.width, facts.video.height, facts.video.frame_rate) == (1280, 720, 25.0)
    assert facts.audio[0].duration == pytest.approx(1.0, abs=0.03)
    assert facts.warnings == ()
