"""A worker of the test's own."""

import pytest

from tests.unit.moviola_workers_service.workbench import open_worker


@pytest.fixture
async def bench(tmp_path):
    async with open_worker(tmp_path) as bench:
        yield bench
