"""An iterator run in a thread of its own, a bounded number of items ahead.

PyAV lets go of the interpreter's lock while it decodes, filters and encodes, so that the two sides really overlap.
"""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


class _End:
    """Nothing follows; ``error`` says why, where it was not the natural end."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(source: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The items of ``source`` in order, at most ``depth`` of them waiting.

    Its error is raised where it would have been. Closing the generator ends the thread: it waits for the item that is
    being made, and makes no other.
    """
    waiting: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(source, waiting, stop), name="ahead", daemon=True)
    thread.start()
    try:
        while isinstance(entry := waiting.get(), _Item):
            yield entry.value
        if entry.error is not None:
            raise entry.error
    finally:
        stop.set()
        # Room for the one item that the thread may be waiting to hand over.
        while thread.is_alive():
            _drain(waiting)
            thread.join(timeout=0.05)


def _fill(source: Iterator[T], waiting: "queue.Queue[_Item[T] | _End]", stop: threading.Event) -> None:
    try:
        for value in source:
            waiting.put(_Item(value))
            if stop.is_set():
                break
    except BaseException as error:  # handed over whole, to be raised on the other side
        waiting.put(_End(error))
    else:
        waiting.put(_End())


def _drain(waiting: "queue.Queue[_Item[T] | _End]") -> None:
    while True:
        try:
            waiting.get_nowait()
        except queue.Empty:
            return
