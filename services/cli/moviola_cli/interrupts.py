"""What signals mean to a command: end early and clean up; or, to a service, finish what runs and stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from moviola_cli.outcome import Outcome

T = TypeVar("T")


def run_interruptible(work: Coroutine[object, object, T]) -> T:
    """Run *work* to its end; Ctrl-C and SIGTERM cancel it, let it clean up, and raise ``KeyboardInterrupt``."""

    async def cancellable() -> T:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error


@contextmanager
def stopping_on_signals(patience: str) -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets, after saying *patience*; a second one ends the process."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            # Children die with their parent; what they left is found at the next start.
            os._exit(Outcome.INTERRUPTED)
        sys.stderr.write(f"{patience}\n")
        sys.stderr.flush()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield stopping
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
