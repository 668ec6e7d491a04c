"""What has to come out, worked out from what the other decoder says of the source, by the published rules.

Second 0 is the first picture, or sound that starts more than 0.25 s before it. A part keeps the pictures with
start ≤ time < end; where the next picture is more than 0.1 s away, the one on display is shown from the start on, and
the last one to the end.
"""

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.inputs.catalogue import Input
from benchmarks.inputs.peer import Seen, Shown

EARLY = 0.25
FAR = 0.1
SAME = 2e-6
BEEP = 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """``numbers`` of the source's pictures, when the result shows each, when it ends, and when it beeps."""

    numbers: tuple[int, ...]
    times: tuple[float, ...]
    ends: float
    beeps: tuple[float, ...]
    width: int
    height: int
    upright: tuple[int, int]


def wanted(source: Seen, one: Input, part: tuple[float, float] | None) -> Wanted:
    """Of the whole file, or of one part of it."""
    shown = source.pictures
    early = source.heard is not None and source.heard < source.begins - EARLY
    origin = source.heard if early and source.heard is not None else source.begins
    times = [picture.at - origin for picture in shown]
    end = source.ends - origin
    width, height = _upright(source)
    if part is None:
        numbers, begins, ends = list(range(len(times))), 0.0, end
    else:
        numbers, begins, ends = _kept(times, end, *part)
    placed = [max(times[number] - begins, 0.0) for number in numbers]
    numbers, placed = _thinned(numbers, placed, one.most)
    beeps = [beep - origin for beep in source.beeps]
    return Wanted(
        numbers=tuple(numbers),
        times=tuple(placed),
        ends=ends - begins,
        # Sound that goes on behind the last picture is kept where nothing is cut.
        beeps=tuple(beep - begins for beep in beeps if begins <= beep and (part is None or beep < ends - BEEP)),
        width=width - width % 2,
        height=height - height % 2,
        upright=(width, height),
    )


def _kept(times: list[float], end: float, start: float, stop: float) -> tuple[list[int], float, float]:
    inside = [number for number, at in enumerate(times) if start - SAME <= at < stop - SAME]
    before = [number for number, at in enumerate(times) if at < start - SAME]
    after = [at for at in times if at >= stop - SAME]
    begins = times[inside[0]] if inside else start
    if before and (not inside or begins - start > FAR):
        inside, begins = [before[-1], *inside], start
    ends = after[0] if after and after[0] - stop <= FAR else stop
    return inside, begins, ends if after else min(end, max(stop, times[inside[-1]]))


def _thinned(numbers: list[int], times: list[float], most: int | None) -> tuple[list[int], list[float]]:
    if most is None:
        return numbers, times
    slots = [int((at + SAME) * most) for at in times]
    firsts = [0, *(place for place, (a, b) in enumerate(pairwise(slots), start=1) if a != b)]
    return [numbers[place] for place in firsts], [times[place] for place in firsts]


def _upright(source: Seen) -> tuple[int, int]:
    first: Shown = source.pictures[0]
    across, down = source.video.get("sample_aspect_ratio", "1:1").split(":")
    shape = int(across) / int(down) if int(across) and int(down) else 1.0
    width = max(1, round(first.width * shape))
    turned = any(abs(side.get("rotation", 0)) == 90 for side in source.video.get("side_data_list", ()))
    size = max(2, width), max(2, first.height)
    return (size[1], size[0]) if turned else size
