"""A receiver of webhooks on loopback, which answers as a test says and verifies by the specification's own library."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Received:
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """The payload; an error where it was not signed with *secret*."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(slots=True)
class Receiver:
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: "asyncio.Queue[Received]" = field(default_factory=asyncio.Queue)
    answer: Answer | None = None

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.received.put_nowait(Received(dict(request.headers), await request.read()))
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(text="thanks", status=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> Received:
        async with asyncio.timeout(60):
            return await self.received.get()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()
