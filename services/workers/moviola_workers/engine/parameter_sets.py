"""What an H.264 stream says of itself: its parameter sets, read from the header and written for a joined stream.

Two encoders' pictures fit into one track where their sets have different numbers and both are in its header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from moviola_workers.engine import nal
from moviola_workers.engine.nal import Bits, BrokenUnits
from moviola_workers.engine.picture_form import BASELINE, HIGH, MAIN, form_of

PROFILES = {BASELINE: "baseline", MAIN: "main", HIGH: "high"}
MOST_IDS = 32
AVCC = 1


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sets of one header, as bytes without start codes; ``length_size`` None where packets have start codes."""

    length_size: int | None
    sequences: tuple[bytes, ...]
    pictures: tuple[bytes, ...]

    def free_number(self) -> int:
        """One that no set of either kind has; ``BrokenUnits`` where all are taken."""
        taken = {Bits(unit).unsigned() for unit in self.pictures}
        taken |= {form_of(unit).id for unit in self.sequences}
        free = sorted(set(range(MOST_IDS)) - taken)
        if not free:
            raise BrokenUnits("all numbers of parameter sets are taken")
        # Not zero: decoders that make assumptions make them of zero.
        return free[0] if free[0] or len(free) == 1 else free[1]

    @property
    def known(self) -> frozenset[bytes]:
        return frozenset(self.sequences + self.pictures)


def parameter_sets_of(extradata: bytes | None) -> ParameterSets:
    """From ``avcC`` (ISO/IEC 14496-15, section 5.3.3.1) or from sets with start codes; else ``BrokenUnits``."""
    if not extradata:
        return ParameterSets(None, (), ())
    if extradata[0] != AVCC:
        row = [bytes(unit) for unit in nal.units(extradata, None)]
        return ParameterSets(None, _of_kind(row, nal.SPS), _of_kind(row, nal.PPS))
    if len(extradata) < 7:
        raise BrokenUnits("the header is too short")
    sequences, position = _counted(extradata, 6, extradata[5] & 0x1F)
    if position >= len(extradata):
        raise BrokenUnits("the header is too short")
    pictures, _ = _counted(extradata, position + 1, extradata[position])
    return ParameterSets((extradata[4] & 3) + 1, sequences, pictures)


def _of_kind(row: Sequence[bytes], kind: int) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(unit for unit in row if nal.kind_of(unit) == kind))


NO_SETS = ParameterSets(None, (), ())


def _counted(data: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found: list[bytes] = []
    for _ in range(count):
        size = int.from_bytes(data[position : position + 2], "big")
        unit = data[position + 2 : position + 2 + size]
        if not size or len(unit) < size:
            raise BrokenUnits("a parameter set reaches beyond the header")
        found.append(unit)
        position += 2 + size
    return tuple(found), position


def joined_header(first: ParameterSets, second: ParameterSets) -> bytes:
    """``avcC`` with the sets of both, for units with four bytes of length.

    Both are of one profile and depth: the caller has seen to that. The level is the higher one; a constraint holds
    where both keep it.
    """
    sequences, pictures = first.sequences + second.sequences, first.pictures + second.pictures
    profile, level = sequences[0][1], max(unit[3] for unit in sequences)
    constraints = reduce(and_, (unit[2] for unit in sequences))
    head = bytes([AVCC, profile, constraints, level, 0xFC | nal.LENGTH - 1, 0xE0 | len(sequences)])
    body = b"".join(len(unit).to_bytes(2, "big") + unit for unit in sequences)
    body += bytes([len(pictures)]) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in pictures)
    # Chroma 4:2:0, eight bits of luma and of chroma, no extensions.
    return head + body + (b"\xfd\xf8\xf8\x00" if profile == HIGH else b"")
