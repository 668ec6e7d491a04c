"""May a trim copy what lies between its borders? Answered from the facts alone, before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from moviola.plan import Span
from moviola.probe import Cutting, Probe
from moviola.recipe import Output

# A time within a microsecond of a key frame's means that key frame.
SAME = 1e-6


@dataclass(frozen=True, slots=True)
class SmartCut:
    """Packets are copied; at most ``encoded_seconds`` at the spans' borders are encoded anew, 0 where none."""

    encoded_seconds: float


@dataclass(frozen=True, slots=True)
class Anew:
    """All is encoded; ``reason`` ends the sentence "The part is encoded anew: …"; None where there is none to tell."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the trim stands: on the ``original`` itself; with pixels and sides that the result may have as they are."""

    original: bool = True
    square_and_even: bool = True


def smart_cut(spans: Sequence[Span], probe: Probe, output: Output, stands: Standing) -> SmartCut | Anew:
    """How ``spans`` of the probed file are cut into ``output``."""
    facts = probe.video.cut
    if facts is None:
        return Anew()
    reason = _hindrance(probe, output, stands) or facts.reason
    if reason is not None or not facts.safe:
        return Anew(reason)
    encoded = _encoded(spans, facts, probe.duration)
    if facts.starts is not None and encoded >= _length(spans) - SAME:
        return Anew("no key frame lies inside of what is kept")
    if encoded and not output.quality:
        return Anew("a lossless result was asked for, which the borders of a cut can't be")
    return SmartCut(round(encoded, 3))


def _hindrance(probe: Probe, output: Output, stands: Standing) -> str | None:
    """What stands in the way beside the stream itself."""
    if not stands.original:
        return "it is cut out of what an earlier step has made"
    if probe.video.codec != output.video_codec:
        return f"the picture is {probe.video.codec}, the result is to be {output.video_codec}"
    if not stands.square_and_even:
        return "the picture's pixels are not square, or its sides are odd"
    if probe.video.hdr:
        return "the picture is HDR, the result is to be standard range"
    return None


def _length(spans: Sequence[Span]) -> float:
    return sum(span.end - span.start for span in spans)


def _encoded(spans: Sequence[Span], facts: Cutting, duration: float) -> float:
    """Seconds encoded at most; where not all key frames are known, two borders of the longest kind to each span."""
    if facts.starts is None:
        return sum(min(span.end - span.start, facts.longest_start + facts.longest_stop) for span in spans)
    return sum(_at_borders(span, facts.starts, facts.longest_stop, duration) for span in spans)


def _at_borders(span: Span, starts: Sequence[float], longest_stop: float, duration: float) -> float:
    """Seconds of the span that lie before the first key frame in it, and behind the last place to stop."""
    inside = [start for start in starts if span.start - SAME <= start < span.end - SAME]
    if not inside:
        return span.end - span.start
    head = inside[0] - span.start
    at_border = span.end >= duration - SAME or any(abs(start - span.end) <= SAME for start in starts)
    tail = 0.0 if at_border else min(span.end - inside[-1], longest_stop)
    return (head if head > SAME else 0.0) + tail
