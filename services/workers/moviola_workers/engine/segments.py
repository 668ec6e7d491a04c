"""Fragments as the segments of a playlist, and what they ask of a connection."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from moviola_workers.engine.fragments import Fragment, FragmentedFile

# Contiguous segments count for the peak where they last between half and one and a half target durations (RFC 8216,
# section 4.3.4.2).
LEAST, MOST = Fraction(1, 2), Fraction(3, 2)


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes from ``offset`` on, which last ``duration`` seconds and need nothing before them but the file's head.

    ``key_size`` are those of its first picture.
    """

    offset: int
    size: int
    duration: Fraction
    packets: int
    key_size: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """A file and its segments, which cover it without a hole; ``head_size`` bytes of it come before the first one."""

    head_size: int
    segments: tuple[Segment, ...]

    @property
    def duration(self) -> Fraction:
        return sum((one.duration for one in self.segments), Fraction(0))

    @property
    def target(self) -> int:
        """The longest segment, rounded to whole seconds as the playlist wants it (RFC 8216, section 4.3.3.1)."""
        return max(1, *(math.floor(one.duration + Fraction(1, 2)) for one in self.segments))

    @property
    def sizes(self) -> list[int]:
        return [one.size for one in self.segments]

    @property
    def key_sizes(self) -> list[int]:
        return [one.key_size for one in self.segments]

    def average(self, sizes: Sequence[int]) -> Fraction:
        """Bits a second over all, where *sizes* are loaded of the segments."""
        return sum(sizes) * 8 / self.duration

    def peak(self, sizes: Sequence[int], target: int) -> Fraction:
        """Bits a second of the largest row of segments that lasts about *target* seconds."""
        rates = [self.average(sizes)]
        for first in range(len(sizes)):
            length, loaded = Fraction(0), 0
            for number in range(first, len(sizes)):
                length, loaded = length + self.segments[number].duration, loaded + sizes[number]
                if length > MOST * target:
                    break
                if length >= LEAST * target:
                    rates.append(loaded * 8 / length)
        return max(rates)

    @property
    def frame_rate(self) -> Fraction:
        """Pictures a second, where they are most."""
        return max(one.packets / one.duration for one in self.segments)


def picture_segments(file: FragmentedFile, end: Fraction) -> Rendition:
    """A segment for each fragment, since each begins with a key frame; the last picture is shown until ``end``."""
    starts = [one.start for one in file.fragments]
    ends = [*starts[1:], max(end, starts[-1] + Fraction(1, 1000))]
    segments = (
        Segment(one.offset, one.size, until - one.start, one.packets, one.key_size)
        for one, until in zip(file.fragments, ends, strict=True)
    )
    return Rendition(len(file.head), tuple(segments))


def sound_segments(file: FragmentedFile, grid: Fraction) -> Rendition:
    """Fragments taken together, each segment beginning with the fragment that is nearest to the picture's."""
    near = file.fragments[0].length / 2
    groups: list[list[Fragment]] = []
    for one in file.fragments:
        if not groups or one.start + near >= len(groups) * grid:
            groups.append([])
        groups[-1].append(one)
    return Rendition(len(file.head), tuple(_together(group) for group in groups))


def _together(parts: Sequence[Fragment]) -> Segment:
    # What comes before second 0 is the encoder's run-in, which is not heard.
    begin = max(parts[0].start, Fraction(0))
    return Segment(
        offset=parts[0].offset,
        size=sum(one.size for one in parts),
        duration=max(parts[-1].start + parts[-1].length - begin, Fraction(1, 1000)),
        packets=sum(one.packets for one in parts),
        key_size=parts[0].key_size,
    )
