"""A ward for each test."""

from pathlib import Path

import pytest

from tests.hostile.ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    place = tmp_path / "ward"
    place.mkdir()
    return Ward(place)
