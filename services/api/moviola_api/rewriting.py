"""Write what was read: anew where somebody else was faster."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from moviola.errors import StaleVersion
from moviola.ports.video_store import Transaction, VideoStore

T = TypeVar("T")
WRITE_TRIES = 5


async def rewritten(store: VideoStore, once: Callable[[Transaction], Awaitable[T]]) -> T:
    """What *once* returns, committed; each try reads and writes in a transaction of its own. ``StaleVersion``."""
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            async with store.transaction() as transaction:
                return await once(transaction)
        except StaleVersion:
            if attempt == WRITE_TRIES:
                raise
    raise AssertionError("unreachable")
