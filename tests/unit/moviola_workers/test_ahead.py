"""An iterator in a thread of its own."""

import threading
from collections.abc import Iterator

import pytest

from moviola_workers.engine.ahead import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(iter(range(100)), 3)) == list(range(100))


def test_an_error_is_raised_behind_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    got = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(ahead(failing(), 2))
    items = ahead(failing(), 2)
    assert next(items) == 1


def test_closing_ends_the_thread_and_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = ahead(endless(), 2)
    assert next(items) == 1
    items.close()

    assert closed.wait(5)
    assert not any(thread.name == "ahead" for thread in threading.enumerate())


def test_no_more_than_the_depth_is_made_in_advance() -> None:
    made = threading.Semaphore(0)
    count = 0

    def counting() -> Iterator[int]:
        nonlocal count
        while True:
            count += 1
            made.release()
            yield count

    items = ahead(counting(), 2)
    next(items)
    for _ in range(4):
        assert made.acquire(timeout=5)

    # One taken, two waiting, one in the hand.
    assert count == 4
    items.close()
