"""The doorbell between processes: PostgreSQL's NOTIFY after the commit, and LISTEN on a connection of its own.

Not NOTIFY inside the transaction: PostgreSQL commits notifying transactions under one lock for the whole server, so
that they reach the disk one after another, never together. One NOTIFY after many commits costs none of them anything.
What is lost if the process dies in between is a hint, and relays look by themselves too.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from moviola.adapters.video_store.doorbell import Doorbell, InProcessDoorbell
from moviola.adapters.video_store.translation import translated
from moviola.errors import MoviolaError
from moviola.video import new_id

log = structlog.get_logger()
CHANNEL = "moviola_outbox"
_NOTIFY = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("sender")))
_PAUSE_SECONDS = 0.005
_PING_SECONDS = 15.0
_ANSWER_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 5.0


class PostgresqlDoorbell:
    """Both loops begin when they are first needed: most processes only ring, and some do neither."""

    def __init__(self, notifying: AsyncEngine, listening: AsyncEngine) -> None:
        self._notifying = notifying
        self._listening = listening
        self._here = InProcessDoorbell()
        self._to_notify = asyncio.Event()
        self._sender = new_id()
        self._loops: dict[str, asyncio.Task[None]] = {}

    def ring(self) -> None:
        self._here.ring()
        self._to_notify.set()
        self._begin("notify", self._notify)

    async def wait(self, *, timeout: float) -> bool:
        self._begin("listen", self._listen)
        return await self._here.wait(timeout=timeout)

    def _begin(self, name: str, loop: Callable[[], Coroutine[None, None, None]]) -> None:
        if name not in self._loops:
            self._loops[name] = asyncio.create_task(loop(), name=f"video store: {name}")

    async def close(self) -> None:
        # Not a TaskGroup: it would wrap whatever the body of the store's context raises into a group.
        for loop in self._loops.values():
            loop.cancel()
        for ended in await asyncio.gather(*self._loops.values(), return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def _notify(self) -> None:
        while True:
            await self._to_notify.wait()
            self._to_notify.clear()
            try:
                await self._notify_once()
            except MoviolaError as error:
                log.debug("relays were not woken", reason=str(error))
            # Commits of the next moment share one notification.
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _notify_once(self) -> None:
        with translated():
            async with self._notifying.begin() as connection:
                # Nothing that has to survive: don't wait for the disk.
                await connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                await connection.execute(_NOTIFY, {"sender": self._sender})

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen_until_lost()
                failures = 0
            except MoviolaError as error:
                failures += 1
                log.debug("not listening for the outbox", reason=str(error))
            wait = min(0.1 * 2**failures, _LONGEST_WAIT_SECONDS)
            await asyncio.sleep(random.uniform(0.5, 1.0) * wait)  # noqa: S311  spreads reconnects, keeps no secret

    async def _listen_until_lost(self) -> None:
        lost = asyncio.Event()
        with translated():
            async with self._listening.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                driver.add_termination_listener(lambda _: lost.set())
                await driver.add_listener(CHANNEL, self._heard)
                # Whatever was committed while nobody listened.
                self._here.ring()
                await self._ping_until(lost, driver)

    async def _ping_until(self, lost: asyncio.Event, driver: Any) -> None:
        while not lost.is_set():
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await lost.wait()
            except TimeoutError:
                # A connection that is half open never says that it is lost.
                await driver.execute("SELECT 1", timeout=_ANSWER_SECONDS)

    def _heard(self, _connection: object, _pid: int, _channel: str, sender: str) -> None:
        if sender != self._sender:
            self._here.ring()


@asynccontextmanager
async def open_postgresql_doorbell(notifying: AsyncEngine, listening: AsyncEngine) -> AsyncIterator[Doorbell]:
    doorbell = PostgresqlDoorbell(notifying, listening)
    try:
        yield doorbell
    finally:
        await doorbell.close()
        await listening.dispose()
