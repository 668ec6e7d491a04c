"""What a server can be made to do, wherever it comes from. The verbs block: an async test calls them in a thread."""

import time
from collections.abc import Callable
from typing import Protocol


class MissingServer(Exception):
    """The server can't be had on this machine; the text says what would help."""


class Server(Protocol):
    """``url`` stays the same through all of these, and what was stored durably is there again after a new start."""

    @property
    def url(self) -> str: ...

    def start(self) -> None:
        """Start it, or let it go on, and return when it answers; nothing if it does already."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it between two instructions, with all its children."""

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""

    def resume(self) -> None:
        """Let it go on after ``pause``."""

    def close(self) -> None:
        """End it for good and remove what it wrote."""


def wait_until(ready: Callable[[], bool], *, within: float, alive: Callable[[], bool], what: str) -> None:
    """Return once *ready*; ``RuntimeError`` if *alive* turns false or *within* seconds are over."""
    give_up = time.monotonic() + within
    while not ready():
        if not alive():
            raise RuntimeError(f"{what} ended while starting")
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what} did not answer within {within:.0f} s")
        time.sleep(0.05)
