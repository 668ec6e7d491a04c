"""Which parts of a video a trim keeps: ranges in seconds, in order, and trims of trims as one list of spans; and what
lies where on the clock of the source.
"""

from collections.abc import Iterator, Sequence

from moviola.plan import Span, Window
from moviola.recipe import TimeRange, Trim


def wanted_ranges(index: int, step: Trim, duration: float) -> Iterator[tuple[str, float, float | None]]:
    """Pointer, start and end of each range to keep."""
    pointer = f"/steps/{index}"
    if step.keep is not None:
        for number, span in enumerate(step.keep):
            yield f"{pointer}/keep/{number}/start", span.start, span.end
    elif step.cut is not None:
        kept = [(start, end) for start, end in _gaps(step.cut, duration) if start < end]
        # Nothing left is asked for as a range that starts at the end, and refused like one.
        for start, end in kept or [(duration, duration)]:
            yield f"{pointer}/cut", start, end
    else:
        yield f"{pointer}/start", step.start or 0.0, step.end


def _gaps(cut: Sequence[TimeRange], duration: float) -> Iterator[tuple[float, float]]:
    """What lies before, between and behind the ranges; may hold empty ones."""
    position = 0.0
    for span in cut:
        yield position, min(span.start, duration)
        position = duration if span.end is None else span.end
    yield position, duration


def compose(first: Sequence[Span], then: Sequence[Span]) -> Iterator[Span]:
    """The spans on the first trim's source clock that are left when ``then`` trims its result."""
    for wanted in then:
        position = 0.0
        for span in first:
            length = span.end - span.start
            low, high = max(wanted.start, position), min(wanted.end, position + length)
            if low < high:
                yield Span(start=span.start + low - position, end=span.start + high - position)
            position += length


def before_trimming(window: Window, spans: Sequence[Span]) -> Iterator[Window]:
    """A window on the clock of what ``spans`` leave of a source, on the source's clock: a piece for each span it meets.

    Each piece keeps its distance from the instants at which the whole window appears and vanishes.
    """
    position = 0.0
    for number, span in enumerate(spans):
        length, shift = span.end - span.start, span.start - position
        is_last = number == len(spans) - 1
        low = max(window.start, position)
        high = position + length if window.end is None else min(window.end, position + length)
        if low < high:
            open_end = window.end is None and is_last
            yield Window(
                start=low + shift,
                end=None if open_end else high + shift,
                appears=window.appears + shift,
                vanishes=window.vanishes + shift,
            )
        position += length
