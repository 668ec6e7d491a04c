"""The one place where blocking file work leaves the event loop."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from moviola.errors import NoSpace

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
T = TypeVar("T")
P = ParamSpec("P")


class Threads:
    """A few threads for files. Reading and hashing give up the interpreter's lock, so they really run side by side."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *call* returns. A caller that is cancelled goes on only when the call has ended.

        So nobody closes or deletes a file under a thread that works on it; calls are short, a megabyte or so.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # seen: the cancellation is what the caller hears of
            raise


@contextmanager
def no_space_told() -> Iterator[None]:
    """A disk that is full (or a quota, or the largest size that a file may have) is ``NoSpace``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace("The disk is full.") from error
        raise


class OpenFile:
    """A descriptor that is closed even if the coroutine that had it opened is cancelled before it hears of it."""

    descriptor = -1

    def open(self, opener: Callable[[], int]) -> None:
        self.descriptor = opener()

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
