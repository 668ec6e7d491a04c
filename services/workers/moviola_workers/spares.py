"""Children that are ready before their task comes, so that no task waits for an interpreter and the codecs to load.

Every slot of the worker holds one while it waits for a task, and one more is kept here: tasks that follow each other
closely (probe, render, poster of one video) each find one. A new one is started only when the spare was handed out,
which is after the task before it has ended: loading must not compete with a running encode.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from moviola.settings import Settings
from moviola_workers.child_process import Child, ChildCrashed, ChildProgram
from moviola_workers.dialogue import Ready

log = structlog.get_logger()

RETRY_SECONDS = 1.0
RETRY_CAP_SECONDS = 30.0


class Spares(Protocol):
    """Where a slot gets its child."""

    async def take(self) -> Child:
        """A child that waits for its job; the caller ends it. Waits for as long as none can be started."""


class _WarmSpares:
    def __init__(self, program: ChildProgram, settings: Settings) -> None:
        self._program = program
        self._settings = settings
        self._ready: asyncio.Queue[Child] = asyncio.Queue(maxsize=1)
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._started: list[Child] = []
        self._told = False

    async def take(self) -> Child:
        while True:
            child = await self._ready.get()
            self._wanted.set()
            if child.alive:
                return child

    async def keep(self) -> None:
        """Start children as they are handed out, for ever; one after the other."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            child = await self._start()
            self._started = [*(one for one in self._started if one.alive), child]
            # Cannot wait: there is room whenever one is wanted.
            self._ready.put_nowait(child)

    async def end(self) -> None:
        """End all that still live, also those that were handed out and forgotten when their slot was cancelled."""
        for child in self._started:
            await child.end()

    async def _start(self) -> Child:
        pause = RETRY_SECONDS
        while True:
            try:
                child = await Child.start(self._program, self._settings)
            except (ChildCrashed, OSError) as error:
                log.error("no child can be started; taking no tasks until one can", error=str(error), again_in=pause)  # noqa: TRY400  # the traceback is ours, the cause is the child's
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_CAP_SECONDS)
            else:
                self._tell(child.sandbox)
                return child

    def _tell(self, sandbox: Ready) -> None:
        if not self._told:
            self._told = True
            log.info("sandbox in force", parts=list(sandbox.in_force), not_available=dict(sandbox.unavailable))


@asynccontextmanager
async def keep_spares(program: ChildProgram, settings: Settings) -> AsyncIterator[Spares]:
    """Spares for as long as the context is open; all that still live are ended on leaving."""
    spares = _WarmSpares(program, settings)
    try:
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(spares.keep())
            yield spares
            keeping.cancel()
    finally:
        await spares.end()
