"""What the packets say of each sound, while the picture's are read: when it begins and ends, and its bit rate."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from av.audio.stream import AudioStream
from av.packet import Packet


class SoundTally:
    """Of one stream; times in seconds on the container's clock."""

    def __init__(self, stream: AudioStream) -> None:
        self._base = stream.time_base or Fraction(1, 1000)
        self._start: int | None = None
        self._end: int | None = None
        self._bytes = 0

    def take(self, packet: "Packet[AudioStream]") -> None:
        self._bytes += packet.size
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None or packet.is_discard:
            return
        self._start = at if self._start is None else min(self._start, at)
        end = at + (packet.duration or 0)
        self._end = end if self._end is None else max(self._end, end)

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end; None where nothing was read."""
        if self._start is None or self._end is None:
            return None
        return float((self._end - self._start) * self._base)

    def bit_rate(self) -> int | None:
        """Of what was read, which has to be all."""
        return round(self._bytes * 8 / self.seconds) if self.seconds else None


SoundTallies = Mapping[int, SoundTally]


def tallies_of(streams: Sequence[AudioStream]) -> SoundTallies:
    """One for each stream, by its index."""
    return {stream.index: SoundTally(stream) for stream in streams}
