"""The embedded system: API, orchestrator and a worker of every kind in one process, on one infrastructure."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from moviola.infrastructure import Infrastructure
from moviola.plan import KINDS
from moviola.settings import Settings, scheme
from moviola_api.serve import run_api
from moviola_orchestrator.serve import run_orchestrator
from moviola_workers.serve import run_worker


async def run_embedded(
    parts: Infrastructure,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until *stopping*, then stop in order; *on_ready* is told the address when it answers."""

    def api(stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        return run_api(parts, settings, stopping=stop, on_ready=on_ready)

    await parts.store.migrate()
    await _run(parts, settings, stopping=stopping, front=api)


async def run_pipeline(parts: Infrastructure, settings: Settings, *, stopping: asyncio.Event) -> None:
    """Orchestrator and worker without HTTP, on a migrated store, until *stopping*."""
    await _run(parts, settings, stopping=stopping, front=None)


async def _run(
    parts: Infrastructure,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    front: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None,
) -> None:
    workers_gone = asyncio.Event()

    async def worker() -> None:
        await run_worker(parts.bus, parts.storage, settings, kinds=KINDS, stopping=stopping)
        # The orchestrator stays until it has been told what became of the worker's tasks.
        workers_gone.set()

    async with asyncio.TaskGroup() as group:
        if front is not None:
            group.create_task(front(stopping))
        group.create_task(
            run_orchestrator(
                parts.bus,
                parts.store,
                parts.storage,
                settings,
                stopping=workers_gone,
                # Nobody else can have written to a bus that lives in this process.
                alone=scheme(settings.bus_url) == "memory",
            )
        )
        group.create_task(worker())
