"""A ward for each test, and the API of the unit tests."""

from pathlib import Path

import pytest

from tests.hostile.ward import Ward
from tests.unit.moviola_api.conftest import api, settings  # noqa: F401  # fixtures, found here by their names


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    place = tmp_path / "ward"
    place.mkdir()
    return Ward(place)
