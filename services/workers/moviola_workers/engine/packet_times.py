"""When the packets of a finished file are decoded and shown: all of them, read once, and what can be said of them."""

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from av.container.input import InputContainer
from av.stream import Stream

from moviola.messages import Limits
from moviola_workers.engine.failures import refused
from moviola_workers.job import Report


@dataclass(slots=True)
class PacketTimes:
    """Of one stream, in ticks of ``base``, in the order of decoding; what is not shown (a decoder's run-in) apart.

    ``untimed`` counts packets without a time, ``unordered`` those not decoded later than the one before, ``early``
    those shown before they are decoded.
    """

    base: Fraction
    shown: "array[int]" = field(default_factory=lambda: array("q"))
    lasts: "array[int]" = field(default_factory=lambda: array("q"))
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    hidden: int = 0
    untimed: int = 0
    unordered: int = 0
    early: int = 0
    _decoded: int | None = None

    @property
    def count(self) -> int:
        return len(self.shown)

    @property
    def start(self) -> float:
        """Seconds; of a stream without packets, 0."""
        return float(min(self.shown, default=0) * self.base)

    @property
    def end(self) -> float:
        """When the last one ends, in seconds."""
        return float(max((at + last for at, last in zip(self.shown, self.lasts, strict=True)), default=0) * self.base)

    @property
    def doubled(self) -> int:
        """How many are shown at the same time as another."""
        return self.count - len(set(self.shown))

    @property
    def longest_gap(self) -> float:
        """The longest time from one to the next, in seconds."""
        row = sorted(self.shown)
        return float(max((after - before for before, after in pairwise(row)), default=0) * self.base)

    @property
    def worst_joint(self) -> float:
        """The furthest that one begins behind the end of the one before (below 0: before it), in seconds."""
        row = zip(self.shown, self.lasts, strict=True)
        joints = (after - before - last for (before, last), (after, _) in pairwise(row))
        return float(max(joints, key=abs, default=0) * self.base)

    def take(self, pts: int | None, dts: int | None, *, duration: int, key: bool, hidden: bool) -> None:
        if dts is not None:
            self.unordered += self._decoded is not None and dts <= self._decoded
            self.early += pts is not None and pts < dts
            self._decoded = dts
        if pts is None:
            self.untimed += 1
        elif hidden:
            self.hidden += 1
        else:
            self.shown.append(pts)
            self.lasts.append(duration)
            if key:
                self.keys.append(pts)


def read_times(container: InputContainer, limits: Limits, report: Report) -> dict[int, PacketTimes]:
    """Those of every stream, by its index, of a container that was just opened; ``report`` hears how far it is."""
    times = {stream.index: PacketTimes(_base(stream)) for stream in container.streams}
    size, count = max(1, container.size), 0
    for packet in container.demux():
        if packet.size == 0:
            continue
        count += 1
        # Sound has more packets than the picture: a hundred a second, and a few for each picture at most.
        if count > 8 * limits.max_frames:
            raise refused("media.too_many_frames", "The result has more packets than a video may have.")
        times[packet.stream.index].take(
            packet.pts,
            packet.dts,
            duration=packet.duration or 0,
            key=packet.is_keyframe,
            hidden=packet.is_discard,
        )
        if packet.pos is not None:
            report(min(1.0, packet.pos / size))
    return times


def _base(stream: Stream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)
