"""The one track that copied packets and encoded pictures are written to, in one order of decoding."""

from dataclasses import dataclass
from fractions import Fraction
from heapq import heappushpop

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from moviola_workers.engine.result import Result
from moviola_workers.engine.shots import NotCopyable
from moviola_workers.engine.sound import Sound


class Clock:
    """Decoding times: the result's own presentation times in their order, as late as the reordering needs them.

    So they grow without a gap over every joint, and none is later than the picture's own time. In mp4 a picture lasts
    until the next one is decoded: at the end the times draw closer, so that none lasts beyond ``end``.
    ``depth`` is the reordering's in pictures, ``step`` a usual picture's length; both times in ticks.
    """

    def __init__(self, depth: int, end: int, step: int) -> None:
        self._waiting = [-step * place for place in range(depth, 0, -1)]
        self._last: int | None = None
        self._latest = self._end = end

    def next(self, at: int) -> int:
        tick = min(heappushpop(self._waiting, at), self._latest)
        if tick > at or (self._last is not None and tick <= self._last):
            raise NotCopyable("the pictures are reordered further than their first packets tell")
        self._last = tick
        self._latest = tick + self._end - at
        return tick

    def left(self, at: int) -> int:
        """How long a picture shown at that tick lasts, if nothing follows."""
        return self._end - at


@dataclass(slots=True)
class Track:
    """``count`` pictures are to come."""

    count: int
    result: Result
    stream: Stream
    sound: Sound
    clock: Clock
    base: Fraction

    def write(self, packet: "Packet[VideoStream] | Packet[Stream]", at: int, duration: int | None) -> None:
        packet.pts, packet.dts, packet.time_base = at, self.clock.next(at), self.base
        self.count -= 1
        if not self.count:
            duration = self.clock.left(at)
        if duration is not None:
            packet.duration = duration
        packet.stream = self.stream
        self.result.mux(packet)
        self.sound.write(at * self.base)
