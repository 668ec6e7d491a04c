"""The wire form of server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from moviola_api.connection import ClientGone

RETRY_MILLISECONDS = 2000
# A client that takes nothing for so long is gone for us.
WRITE_SECONDS = 30.0


class EventStream:
    """One open stream; ``last_id`` is the id that the client would come back with."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        self.response = web.StreamResponse(headers=headers)
        self.response.content_type = "text/event-stream"
        self.response.charset = "utf-8"
        self.last_id = last_event_id(request)

    async def open(self) -> None:
        await self.response.prepare(self._request)
        await self._write(f"retry: {RETRY_MILLISECONDS}\n\n")

    async def send(self, event: str, data: BaseModel, *, id: str | None = None) -> None:
        """One event; its data is one line of JSON. ``ClientGone``."""
        line = f"id: {id}\n" if id is not None else ""
        await self._write(f"{line}event: {event}\ndata: {data.model_dump_json()}\n\n")
        self.last_id = id or self.last_id

    async def beat(self) -> None:
        """A comment, which keeps proxies from closing the connection and shows whether it still stands."""
        await self._write(": alive\n\n")

    async def _write(self, text: str) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self.response.write(text.encode())
        except (ConnectionError, TimeoutError) as error:
            raise ClientGone("The client of an event stream left.") from error


def last_event_id(request: web.Request) -> str | None:
    """The ``Last-Event-ID`` of a client that was here before; None where it is none of ours."""
    try:
        return str(UUID(request.headers.get("Last-Event-ID", "")))
    except ValueError:
        return None
