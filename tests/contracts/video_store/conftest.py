"""A store of each kind, empty and migrated."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from moviola.adapters.video_store.store import open_video_store
from moviola.ports.video_store import VideoStore

Opener = Callable[[], AbstractAsyncContextManager[VideoStore]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/new directory/moviola.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def open_store(database_url: str) -> Opener:
    """Opens the same database again and again, as another process would."""
    return lambda: open_video_store(database_url)


@pytest.fixture
async def store(open_store: Opener) -> AsyncIterator[VideoStore]:
    async with open_store() as opened:
        await opened.migrate()
        yield opened
