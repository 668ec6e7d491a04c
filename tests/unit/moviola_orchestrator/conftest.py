"""A stage for each test; the schema is made once and copied, since making it takes most of the time."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.settings import Settings
from tests.unit.moviola_orchestrator.stage import Stage


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(data_dir=tmp_path_factory.mktemp("schema"))

    async def migrate() -> None:
        async with open_infrastructure(settings, parts=("store",)) as opened:
            await opened.store.migrate()

    asyncio.run(migrate())
    return settings.database_path()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path, lease_seconds=30, sweep_seconds=5, unclaimed_seconds=60, worker_silent_seconds=100_000
    )


@pytest.fixture
async def opened(settings: Settings, empty_database: Path) -> AsyncIterator[Infrastructure]:
    shutil.copy(empty_database, settings.database_path())
    async with open_infrastructure(settings, parts=("bus", "store", "storage")) as infrastructure:
        yield infrastructure


@pytest.fixture
async def stage(opened: Infrastructure, settings: Settings) -> Stage:
    """With one worker that does everything."""
    stage = Stage(opened.bus, opened.store, opened.storage, settings)
    await stage.workers()
    return stage
