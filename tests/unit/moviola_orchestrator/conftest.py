"""A stage for each test; the schema is made once and copied, since making it takes most of the time."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.ports.video_store import VideoFilter, VideoStore
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT
from moviola_orchestrator.replay import replay
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
    """What the test leaves behind is replayed: every history that it made must be possible."""
    shutil.copy(empty_database, settings.database_path())
    async with open_infrastructure(settings, parts=("bus", "store", "storage")) as infrastructure:
        yield infrastructure
        await replay_all(infrastructure.store)


async def replay_all(store: VideoStore) -> None:
    """Every video's history through the state machine, which must end where its runs and tasks are."""
    async with store.snapshot() as view:
        for found in await view.videos.page(VideoFilter(tenant=DEFAULT_TENANT), limit=100):
            for run_id, replayed in replay(await view.history.of_video(found.video.id)).items():
                run = await view.runs.get(run_id)
                tasks = {task.name: task.state for task in await view.tasks.of_run(run_id)}
                assert run is not None
                assert replayed.state is run.state
                assert {name: task.state for name, task in replayed.tasks.items()} == tasks


@pytest.fixture
async def stage(opened: Infrastructure, settings: Settings) -> Stage:
    """With one worker that does everything."""
    stage = Stage(opened.bus, opened.store, opened.storage, settings)
    await stage.workers()
    return stage
