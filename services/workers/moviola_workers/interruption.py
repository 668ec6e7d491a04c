"""Wait for something, but not beyond the moment when the worker is told to stop."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def unless(stopping: asyncio.Event, work: Coroutine[object, object, T]) -> T | None:
    """What *work* yields; None, and *work* is cancelled, where *stopping* is set before."""
    async with asyncio.TaskGroup() as group:
        wanted = group.create_task(work)
        told = group.create_task(stopping.wait())
        await asyncio.wait((wanted, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        wanted.cancel()
    return None if wanted.cancelled() else wanted.result()
