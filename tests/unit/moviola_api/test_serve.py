"""Starting and stopping."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moviola.errors import Refused
from moviola.infrastructure import open_infrastructure
from moviola.settings import Settings
from moviola_api.serve import run_api
from tests.unit.moviola_api.conftest import Api


async def test_an_address_that_strangers_can_reach_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, host="0.0.0.0", port=0)

    async with open_infrastructure(settings) as parts:
        await parts.store.migrate()
        with pytest.raises(Refused, match=r"no API keys yet"):
            await run_api(parts, settings, stopping=asyncio.Event())


async def test_a_port_that_is_taken_is_an_error_of_the_start(api: Api, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=int(api.url.rpartition(":")[2]))

    with pytest.raises(OSError, match="address already in use"):
        await run_api(api.parts, settings, stopping=asyncio.Event())


async def test_a_listener_that_left_before_the_stop_leaves_no_traceback(api: Api) -> None:
    video = await api.upload()
    with capture_logs() as told:
        for path in ("/v1/events", f"/v1/videos/{video['id']}/events"):
            async with api.http.get(path) as answer:
                await answer.content.readline()
                answer.close()
        await api.stop()

    assert [entry for entry in told if entry["log_level"] in ("warning", "error")] == []


async def test_stopping_ends_event_streams_and_lets_downloads_finish(api: Api) -> None:
    video = await api.upload()

    async with (
        api.http.get(f"/v1/videos/{video['id']}/events") as one,
        api.http.get("/v1/events") as all_of_them,
    ):
        await one.content.readline()
        await all_of_them.content.readline()
        async with asyncio.timeout(30):
            await api.stop()
            await one.read()
            await all_of_them.read()
