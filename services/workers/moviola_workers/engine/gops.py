"""How a stream's pictures hang together: groups that begin with a key frame, and pictures decoded out of order."""

from dataclasses import dataclass

from av.packet import Packet
from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Gops:
    """Of the packets that were shown: lengths in pictures. ``open``: pictures that follow a key frame are shown before
    it, so that they may need the group before; ``reordered``: some are decoded later than they are shown (B-frames).
    """

    count: int
    longest: int
    average: float | None
    open: bool
    reordered: bool


class GopWatch:
    """Is shown the packets in the order of decoding, from the first."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._key: int | None = None
        self._latest: int | None = None
        self._open = self._reordered = False

    def take(self, packet: "Packet[VideoStream]") -> None:
        at = packet.pts
        if packet.is_keyframe:
            self._lengths.append(0)
            self._key = at
        if self._lengths:
            self._lengths[-1] += 1
        if at is None:
            return
        self._open = self._open or (self._key is not None and at < self._key)
        self._reordered = self._reordered or (self._latest is not None and at < self._latest)
        self._latest = at if self._latest is None else max(self._latest, at)

    def gops(self, *, complete: bool) -> Gops:
        """``complete``: the last group was shown to its end."""
        lengths = self._lengths if complete else self._lengths[:-1]
        return Gops(
            count=len(self._lengths),
            longest=max(lengths, default=0),
            average=round(sum(lengths) / len(lengths), 2) if lengths else None,
            open=self._open,
            reordered=self._reordered,
        )
