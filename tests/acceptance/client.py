"""What a client does with a running system, over HTTP and nothing else."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from moviola.video import DEFAULT_TENANT, HistoryEntry, VideoId
from moviola_orchestrator.replay import replay

Document = dict[str, Any]
ENDED = ("ready", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the system at ``url``."""

    url: str
    http: aiohttp.ClientSession

    async def upload(
        self,
        clip: Path,
        *,
        recipe: object = None,
        parts: Mapping[str, Path] | None = None,
        unseen: bool = True,
        **fields: str,
    ) -> Document:
        """Upload by form; the 202's document. ``recipe`` None leaves the field out.

        An mp4 that something is to be made of gets bytes that nobody has uploaded before, so that there is work to do;
        with ``unseen`` false, and where it is only stored, it goes as it is.
        """
        form = aiohttp.FormData()
        for name, value in fields.items():
            form.add_field(name, value)
        if recipe is not None:
            form.add_field("recipe", recipe if isinstance(recipe, str) else json.dumps(recipe))
        for name, path in (parts or {}).items():
            form.add_field(name, io.BytesIO(path.read_bytes()), filename=path.name)
        content = clip.read_bytes()
        if unseen and recipe != "null" and content[4:8] == b"ftyp":
            content += (24).to_bytes(4, "big") + b"free" + os.urandom(16)
        form.add_field("file", io.BytesIO(content), filename=clip.name, content_type="video/mp4")
        async with self.http.post(f"{self.url}/v1/videos", data=form) as answer:
            document: Document = await answer.json()
            assert answer.status == 202, document
            return document

    async def get(self, path: str) -> Document:
        async with self.http.get(self.url + path) as answer:
            document: Document = await answer.json()
            assert answer.status == 200, document
            return document

    async def bytes_of(self, path: str) -> bytes:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    async def ended(self, video_id: str, *, within: float = 120.0) -> Document:
        """The document once the video is ready, failed or canceled, by its event stream."""
        async with asyncio.timeout(within):
            async for _ in self.events(video_id):
                pass
        document = await self.get(f"/v1/videos/{video_id}")
        assert document["status"] in ENDED, document
        await self.replay(video_id)
        return document

    async def replay(self, video_id: str) -> None:
        """The video's history through the state machine, which must end where the video is."""
        document = await self.get(f"/v1/videos/{video_id}")
        path, entries, cursor = f"/v1/videos/{video_id}/history", [], ""
        while cursor is not None:
            page = await self.get(path + (f"?cursor={cursor}" if cursor else ""))
            entries += [HistoryEntry(video_id=VideoId(video_id), tenant=DEFAULT_TENANT, **one) for one in page["data"]]
            cursor = page["next_cursor"]
        assert list(replay(entries).values())[-1].state == document["last_run"]["state"]

    async def ready(self, video_id: str, *, within: float = 120.0) -> Document:
        document = await self.ended(video_id, within=within)
        assert document["status"] == "ready", document["failure"]
        return document

    async def events(self, video_id: str) -> AsyncIterator[tuple[str, Document]]:
        """Name and data of each event of one video's stream, which ends when the video does."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with self.http.get(f"{self.url}/v1/videos/{video_id}/events", timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            name, data = "message", ""
            async for raw in answer.content:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and data:
                    yield name, json.loads(data)
                    name, data = "message", ""

    async def file(self, video: Document, name: str, folder: Path) -> Path:
        """Download a file of the video and check it against its document."""
        entry = next(entry for entry in video["files"] if entry["name"] == name)
        body = await self.bytes_of(f"/v1/videos/{video['id']}/files/{name}")
        assert len(body) == entry["size"]
        path = folder / name
        path.write_bytes(body)
        return path
