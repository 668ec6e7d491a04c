"""A running API on a random port, with the real SQLite store, local files and the bus inside this process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from moviola import object_keys
from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.messages import Message
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT, OutputFile, Run, RunState, Task, Video, VideoId
from moviola_api.serve import run_api
from tests.unit.moviola_api.samples import a_run

Document = dict[str, Any]
CLIP = bytes(range(256)) * 40


@dataclass
class Api:
    """The API under test, as its clients see it (``http``) and as its neighbours do (``parts``)."""

    url: str
    http: aiohttp.ClientSession
    parts: Infrastructure
    stopping: asyncio.Event
    served: "asyncio.Task[None]"

    async def upload(self, content: bytes = CLIP, *, filename: str = "clip.mp4", **fields: str) -> Document:
        """Upload by form; the 202's document."""
        form = aiohttp.FormData(quote_fields=False)
        for name, value in fields.items():
            form.add_field(name, value)
        form.add_field("file", content, filename=filename)
        async with self.http.post("/v1/videos", data=form) as answer:
            document: Document = await answer.json()
            assert answer.status == 202, document
            return document

    async def get(self, path: str, *, status: int = 200) -> Document:
        async with self.http.get(path) as answer:
            document: Document = await answer.json(content_type=None)
            assert answer.status == status, document
            return document

    async def keys(self, prefix: str = "") -> list[str]:
        """What lies in the storage."""
        return [one.key async for one in self.parts.storage.list(prefix)]

    async def posted(self) -> list[Message]:
        """What waits in the outbox, nothing being relayed here."""
        async with self.parts.store.transaction() as transaction:
            return [posting.envelope.message() for posting in await transaction.outbox.claim(limit=100)]

    async def video(self, video_id: str) -> Video:
        async with self.parts.store.snapshot() as transaction:
            found = await transaction.videos.get(DEFAULT_TENANT, VideoId(video_id))
            assert found is not None
            return found.video

    async def save_run(self, run: Run, *tasks: Task) -> Run:
        """What an orchestrator would have written."""
        async with self.parts.store.transaction() as transaction:
            await transaction.runs.add(run)
            if tasks:
                await transaction.tasks.add(tasks)
        return run

    async def change_run(self, run: Run, **changes: Any) -> Run:
        async with self.parts.store.transaction() as transaction:
            await transaction.runs.save(replace(run, **changes))
        return replace(run, version=run.version + 1, **changes)

    async def make_ready(self, video_id: str, files: dict[str, bytes] | None = None, *, number: int = 1) -> Run:
        """A run that is ready, with its files in the storage."""
        made = [await self._made(video_id, number, *item) for item in (files or {}).items()]
        run = replace(a_run(VideoId(video_id), files=tuple(made)), number=number)
        await self.save_run(replace(run, state=RunState.VERIFYING, finished_at=None))
        return await self.change_run(run)

    async def _made(self, video_id: str, run: int, name: str, content: bytes) -> OutputFile:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        key = f"{object_keys.outputs(DEFAULT_TENANT, VideoId(video_id))}run-{run}/pass/1-n/{name}"
        stored = await self.parts.storage.put(key, chunks())
        assert stored.sha256 is not None
        return OutputFile(name=name, key=key, size=stored.size, sha256=stored.sha256, content_type="video/mp4")

    async def stop(self) -> None:
        """As on SIGTERM: returns when every request has ended."""
        self.stopping.set()
        await self.served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, port=0, max_upload_bytes=1_000_000, drain_seconds=5)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    stopping, done = asyncio.Event(), asyncio.Event()
    ready: asyncio.Future[tuple[str, Infrastructure]] = asyncio.get_running_loop().create_future()

    # In a task of its own, so that what is opened is closed by the task that opened it.
    async def serve() -> None:
        async with open_infrastructure(settings) as parts:
            await parts.store.migrate()
            await run_api(parts, settings, stopping=stopping, on_ready=lambda url: ready.set_result((url, parts)))
            # A test that stopped the API may still look into what it left.
            stopped.set()
            await done.wait()

    stopped = asyncio.Event()
    task = asyncio.create_task(serve())
    task.add_done_callback(lambda _: ready.done() or ready.cancel())
    try:
        url, parts = await ready
    except asyncio.CancelledError:
        await task
        raise
    served = asyncio.create_task(_none(stopped))
    async with aiohttp.ClientSession(url) as http:
        yield Api(url, http, parts, stopping, served)
    stopping.set()
    done.set()
    await served
    await task


async def _none(event: asyncio.Event) -> None:
    await event.wait()
