"""In order for each key, in parallel across keys: events of one video wait for each other and for nobody else's."""

from asyncio import TaskGroup
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class InOrder(Generic[Item]):
    """Hands items to *handle*, one at a time for each key; what *handle* raises ends *group*.

    How many there are at once is for the caller to bound; a key costs nothing once its items are done.
    """

    def __init__(self, group: TaskGroup, handle: Callable[[Item], Awaitable[None]]) -> None:
        self._group = group
        self._handle = handle
        self._waiting: dict[str, deque[Item]] = {}

    def put(self, key: str, item: Item) -> None:
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque([item])
            self._group.create_task(self._drain(key))
        else:
            waiting.append(item)

    async def _drain(self, key: str) -> None:
        waiting = self._waiting[key]
        while waiting:
            await self._handle(waiting[0])
            waiting.popleft()
        del self._waiting[key]
