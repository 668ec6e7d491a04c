"""What a probe finds out about cutting a stream without encoding it: may packets be copied, and from where on."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from av.packet import Packet
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola.probe import Cutting
from moviola_workers.engine.shots import Inspector, NotCopyable, Shot, groups, stops

# More places than this are not listed: the facts travel with every message about the video.
MOST_STARTS = 1000


class CutSurvey:
    """Is shown the packets that the probe reads anyway, in order from the first."""

    def __init__(self, stream: VideoStream, limits: Limits) -> None:
        self._shots: list[Shot] = []
        self._reason: str | None = None
        try:
            self._inspector = Inspector(stream, limits)
        except NotCopyable as reason:
            self._reason = str(reason)

    def take(self, packet: "Packet[VideoStream]") -> None:
        if self._reason is not None:
            return
        try:
            self._shots.append(self._inspector.shot(packet))
        except NotCopyable as reason:
            self._reason = str(reason)

    def facts(self, origin: Fraction, base: Fraction, *, complete: bool) -> Cutting:
        """``origin`` is second 0 of the file; ``complete`` where all packets were shown."""
        try:
            found = self._groups()
        except NotCopyable as reason:
            return Cutting(safe=False, reason=str(reason))
        if not complete:
            # The last one was not read to its end.
            found = found[:-1] or found
        starts = [group[0].at for group in found if group[0].starts]
        ends = [*starts, max(shot.at + shot.duration for shot in found[-1])]
        listed = complete and len(starts) <= MOST_STARTS
        return Cutting(
            safe=True,
            starts=tuple(round(float(start * base - origin), 6) for start in starts) if listed else None,
            longest_start=float(max((after - before for before, after in pairwise(ends)), default=0) * base),
            longest_stop=float(max(map(_longest, found)) * base),
        )

    def _groups(self) -> list[list[Shot]]:
        if self._reason is not None:
            raise NotCopyable(self._reason)
        if not any(shot.starts for shot in self._shots):
            raise NotCopyable("the file has no key frame to start at")
        return list(groups(self._shots))


def _longest(group: Sequence[Shot]) -> int:
    """The longest time between places where copying may stop."""
    shown = sorted(shot.at for shot in group)
    end = max(shot.at + max(1, shot.duration) for shot in group)
    # So many packets are as many pictures in the order of showing: that is what makes a stop.
    borders = [shown[0], *(shown[count] for count in stops(group) if count < len(group)), end]
    return max(after - before for before, after in pairwise(borders))
