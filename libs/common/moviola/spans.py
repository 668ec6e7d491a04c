"""Which parts of a video a trim keeps: ranges in seconds, in order, and trims of trims as one list of spans."""

from collections.abc import Iterator, Sequence

from moviola.plan import Span
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
