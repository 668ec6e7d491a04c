"""Replicas side by side on PostgreSQL and RabbitMQ: rows are really locked, and messages come in any order."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.settings import Settings
from tests.unit.moviola_orchestrator.test_serve import finish_ten_videos

pytestmark = pytest.mark.distributed


@pytest.fixture
async def opened(postgresql_url: str, rabbitmq_url: str, tmp_path: Path) -> AsyncIterator[Infrastructure]:
    settings = Settings(database_url=SecretStr(postgresql_url), bus_url=SecretStr(rabbitmq_url), data_dir=tmp_path)
    async with open_infrastructure(settings, parts=("bus", "store", "storage")) as infrastructure:
        await infrastructure.store.migrate()
        yield infrastructure


async def test_two_replicas_and_two_workers_double_nothing_on_real_servers(
    opened: Infrastructure, tmp_path: Path
) -> None:
    await finish_ten_videos(opened, Settings(data_dir=tmp_path))
