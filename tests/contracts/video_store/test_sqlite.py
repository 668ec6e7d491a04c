"""What only SQLite can be put through: a process that is killed, a file that somebody locks, a disk that is full."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from moviola.adapters.video_store import engines
from moviola.adapters.video_store.store import open_video_store
from moviola.errors import NoSpace, StoreUnavailable
from moviola.ports.video_store import VideoStore
from tests.contracts.video_store.records import a_posting, a_video

COMMIT_AND_HANG = """
import asyncio, sys
from moviola.adapters.video_store.store import open_video_store
from tests.contracts.video_store.records import a_posting

async def main():
    async with open_video_store(sys.argv[1]) as store:
        await store.migrate()
        async with store.transaction() as tx:
            await tx.outbox.add([a_posting()])
        async with store.transaction() as tx:
            await tx.outbox.add([a_posting()])
            print("one committed, one not", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moviola.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[VideoStore]:
    async with open_video_store(f"sqlite+aiosqlite:///{path}") as opened:
        await opened.migrate()
        yield opened


async def test_a_committed_row_survives_the_kill_of_its_process_and_another_does_not(path: Path) -> None:
    url = f"sqlite+aiosqlite:///{path}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMIT_AND_HANG, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    process.kill()
    await process.wait()
    assert line == b"one committed, one not\n"

    async with open_video_store(url) as store, store.transaction() as tx:
        assert len(await tx.outbox.claim(limit=9)) == 1


async def test_every_commit_is_synced_and_readers_do_not_wait_for_writers(store: VideoStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    settings = await _asked_of_every_connection(store, "PRAGMA synchronous", "PRAGMA foreign_keys")

    assert settings == {(2, 1)}


async def _asked_of_every_connection(store: Any, *pragmas: str) -> set[tuple[int, ...]]:
    answers = set()
    for engine in (store._engines.writer, store._engines.reader):
        async with engine.connect() as connection:
            answers.add(tuple([(await connection.exec_driver_sql(pragma)).scalar_one() for pragma in pragmas]))
    return answers


async def test_a_file_that_stays_locked_is_an_unavailable_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    async with open_video_store(f"sqlite+aiosqlite:///{path}") as store:
        await store.migrate()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                async with store.transaction():
                    pass
            async with store.snapshot() as tx:
                assert await tx.outbox.pending() == (0, None)
            other.execute("ROLLBACK")
        async with store.transaction() as tx:
            await tx.outbox.add([a_posting()])


@pytest.fixture
def limit_pages() -> Any:
    """Make every new connection believe that the disk has room for so many pages of 4 KiB."""
    limits: list[Callable[[Any, Any], None]] = []

    def limit(pages: int) -> None:
        def apply(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA max_page_count={pages}")
            cursor.close()

        event.listen(Pool, "connect", apply)
        limits.append(apply)

    yield limit
    for apply in limits:
        event.remove(Pool, "connect", apply)


async def test_a_full_disk_is_told_and_the_store_lives_on(path: Path, limit_pages: Callable[[int], None]) -> None:
    async with open_video_store(f"sqlite+aiosqlite:///{path}") as store:
        await store.migrate()
    limit_pages(path.stat().st_size // 4096 + 2)
    async with open_video_store(f"sqlite+aiosqlite:///{path}") as store:
        with pytest.raises(NoSpace):
            async with store.transaction() as tx:
                await tx.videos.add(a_video(title="long" * 10_000))
        async with store.transaction() as tx:
            await tx.outbox.add([a_posting()])
        await store.check()


async def test_a_directory_that_is_none_is_an_unavailable_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        async with open_video_store(f"sqlite+aiosqlite:///{tmp_path}/file/moviola.db"):
            pass


async def test_an_unknown_database_is_refused() -> None:
    for url in ("mysql://localhost/db", "sqlite+aiosqlite://"):
        with pytest.raises(ValueError, match="video store"):
            async with open_video_store(url):
                pass
