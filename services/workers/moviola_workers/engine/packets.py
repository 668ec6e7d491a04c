"""What the packets say of a video stream, without decoding them: when pictures are shown, and where the last one ends.

A small file is read whole; of a large one its beginning and its end, since headers lie about the length.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

from av.container.input import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine.failures import FFmpegError, refused
from moviola_workers.engine.gops import Gops, GopWatch
from moviola_workers.engine.sound_survey import SoundTallies

# Up to this size a file is read whole.
WHOLE_BYTES = 48 * 1024 * 1024
HEAD_PACKETS = 1500
TAIL_PACKETS = 20_000
END = 2**62
# A rate varies where more than this share of the frames is off by more than rounding and a twentieth.
VARYING_SHARE = 0.02
STEADY = Fraction(1, 20)
ENTRIES = 64

Watch = Callable[["Packet[VideoStream]"], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """Times are in ticks of ``base``; ``start`` and ``end`` bound what is shown.

    ``count`` is None where not all was read. ``hidden`` packets are those that an edit list leaves out, ``corrupt``
    those that are marked as damaged, ``bytes`` are of all that were read. ``untimed``: some packets do not say when
    they are shown, so that their order of decoding had to do; its clock may run before that of the pictures.
    """

    base: Fraction
    shown: tuple[int, ...]
    keys: tuple[int, ...]
    start: int
    end: int
    count: int | None
    gops: Gops
    encrypted: bool = False
    hidden: int = 0
    corrupt: int = 0
    bytes: int = 0
    untimed: bool = False

    @property
    def seconds(self) -> Fraction:
        return (self.end - self.start) * self.base

    @property
    def rate(self) -> Fraction | None:
        """Average frames a second of what was read first."""
        if len(self.shown) < 2 or self.shown[-1] == self.shown[0]:
            return None
        return (len(self.shown) - 1) / ((self.shown[-1] - self.shown[0]) * self.base)

    @property
    def varies(self) -> bool:
        steps = [after - before for before, after in pairwise(self.shown)]
        if len(steps) < 2:
            return False
        usual = Fraction(median(steps))
        allowed = max(Fraction(2), usual * STEADY)
        off = sum(abs(step - usual) > allowed for step in steps)
        return off > max(1, VARYING_SHARE * len(steps))

    @property
    def key_interval(self) -> float | None:
        """The longest time between key frames that was seen, in seconds."""
        gaps = [after - before for before, after in pairwise(self.keys)]
        return float(max(gaps) * self.base) if gaps else None

    @property
    def longest_gap(self) -> float | None:
        """The longest time between pictures, in seconds; None where not all was read."""
        if self.count is None:
            return None
        return float(max((after - before for before, after in pairwise(self.shown)), default=0) * self.base)

    @property
    def shortest_gap(self) -> float | None:
        """The shortest time above 0 between pictures, in seconds; None where not all was read."""
        if self.count is None:
            return None
        steps = (after - before for before, after in pairwise(self.shown))
        return float(min((step for step in steps if step > 0), default=0) * self.base)


class _Tally:
    def __init__(self, base: Fraction, limits: Limits, watch: Watch) -> None:
        self.base = base
        self.watch = watch
        self.limits = limits
        self.shown: list[int] = []
        self.keys: list[int] = []
        self.end: int | None = None
        self.count = 0
        self.encrypted = False
        self.hidden = self.corrupt = self.bytes = 0
        self.gops = GopWatch()
        self.untimed = False

    def take(self, packet: "Packet[VideoStream]", *, sample: bool) -> None:
        self.count += 1
        if self.count > self.limits.max_frames:
            raise refused("media.too_many_frames", f"The video has more than {self.limits.max_frames} frames.")
        self.encrypted = self.encrypted or packet.has_sidedata("encryption_info")
        self.corrupt += packet.is_corrupt
        self.bytes += packet.size
        self.untimed = self.untimed or packet.pts is None
        if sample:
            self.watch(packet)
            self.gops.take(packet)
        if packet.is_discard:
            self.hidden += 1
            return
        position = self._position(packet)
        until = position + (packet.duration or 0)
        self.end = until if self.end is None else max(self.end, until)
        if sample:
            self.shown.append(position)
            if packet.is_keyframe:
                self.keys.append(position)

    def _position(self, packet: "Packet[VideoStream]") -> int:
        """Raw streams have no times: one packet follows the other."""
        if packet.pts is not None:
            return packet.pts
        return packet.dts if packet.dts is not None else self.end or 0


def survey(
    container: InputContainer,
    video: VideoStream,
    limits: Limits,
    watch: Watch = lambda _: None,
    sounds: SoundTallies | None = None,
) -> Survey:
    """Read packets of a container that was just opened. Where it stands afterwards is not said.

    ``watch`` is shown all of them, or those of the beginning, in order. ``sounds`` hear of theirs on the way.
    """
    refuse_missing_entries(container, video)
    base = video.time_base or Fraction(1, 1000)
    tally = _Tally(base, limits, watch)
    packets = _pictures(container, video, sounds or {})
    whole = container.size <= WHOLE_BYTES
    complete = _read(packets, tally, None if whole else HEAD_PACKETS, sample=True)
    if not complete:
        try:
            container.seek(END, stream=video)
        except FFmpegError:
            complete = _read(packets, tally, None, sample=True)
        else:
            packets.close()
            _read(_pictures(container, video, sounds or {}), tally, TAIL_PACKETS, sample=False)
    shown = sorted(tally.shown)
    start = shown[0] if shown else 0
    end = tally.end if tally.end is not None else start
    step = round(median(after - before for before, after in pairwise(shown))) if len(shown) > 1 else 0
    return Survey(
        base=base,
        shown=tuple(shown),
        keys=tuple(sorted(tally.keys)),
        start=start,
        # Some containers give no durations: the last picture is shown as long as the others.
        end=shown[-1] + step if complete and shown and end <= shown[-1] else end,
        count=len(shown) if complete else None,
        encrypted=tally.encrypted,
        hidden=tally.hidden,
        corrupt=tally.corrupt,
        bytes=tally.bytes,
        gops=tally.gops.gops(complete=complete),
        untimed=tally.untimed,
    )


def _pictures(container: InputContainer, video: VideoStream, sounds: SoundTallies) -> "Generator[Packet[VideoStream]]":
    """The picture's packets; those of the sounds are counted as they come by."""
    for packet in container.demux([video.index, *sounds]):
        if not packet.size:
            continue
        if packet.stream.index == video.index:
            yield packet  # type: ignore[misc]  # of the video stream, by its index
        else:
            sounds[packet.stream.index].take(packet)  # type: ignore[arg-type]  # of a sound, by its index


def _read(packets: "Iterator[Packet[VideoStream]]", tally: _Tally, most: int | None, *, sample: bool) -> bool:
    """Whether the end was reached."""
    for number, packet in enumerate(packets, start=1):
        tally.take(packet, sample=sample)
        if most is not None and number >= most:
            return False
    return True


def refuse_missing_entries(container: InputContainer, video: VideoStream) -> None:
    """``media.truncated`` where the index points beyond the end of the file."""
    entries = video.index_entries
    for number in range(max(0, len(entries) - ENTRIES), len(entries)):
        entry = entries[number]
        if entry.size > 0 and entry.pos + entry.size > container.size:
            raise refused("media.truncated", "The file is cut off: its last frames are missing.")
