"""What an H.264 stream says of itself: its parameter sets, read from the header and written for a joined stream.

Two encoders' pictures fit into one track where their sets have different numbers and both are in its header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from moviola_workers.engine import nal
from moviola_workers.engine.nal import Bits, BrokenUnits

BASELINE, MAIN, HIGH = 66, 77, 100
# Those that have the fields for chroma and depth in their sequence parameter sets (section 7.3.2.1.1).
WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
PROFILES = {BASELINE: "baseline", MAIN: "main", HIGH: "high"}
MOST_IDS = 32
EXTENDED_SAR = 255
AVCC = 1


@dataclass(frozen=True, slots=True)
class PictureForm:
    """The fields of a sequence parameter set that matter here; sizes in pixels, after cropping."""

    id: int
    profile: int
    level: int
    chroma: int
    depth: int
    references: int
    buffered: int | None
    width: int
    height: int
    frames_only: bool


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


def form_of(unit: bytes) -> PictureForm:
    """Read a sequence parameter set (section 7.3.2.1.1); ``BrokenUnits`` where it is none."""
    bits = Bits(unit)
    profile, _, level = bits.read(8), bits.read(8), bits.read(8)
    number = bits.unsigned()
    chroma, depth = _chroma(bits) if profile in WITH_CHROMA else (1, 8)
    bits.unsigned()
    _order(bits)
    references = bits.unsigned()
    bits.read()
    across, down = bits.unsigned() + 1, bits.unsigned() + 1
    frames_only = bool(bits.read())
    if not frames_only:
        bits.read()
    bits.read()
    left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.read() else (0, 0, 0, 0)
    lines = 2 - frames_only
    return PictureForm(
        id=number,
        profile=profile,
        level=level,
        chroma=chroma,
        depth=depth,
        references=references,
        buffered=_buffered(bits) if bits.read() else None,
        # Cropping is counted in chroma samples: two pixels of 4:2:0.
        width=across * 16 - (left + right) * 2,
        height=(down * 16 - (top + bottom) * 2) * lines,
        frames_only=frames_only,
    )


def _chroma(bits: Bits) -> tuple[int, int]:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.read()
    depth = 8 + max(bits.unsigned(), bits.unsigned())
    bits.read()
    if bits.read():
        for number in range(12 if chroma == 3 else 8):
            if bits.read():
                _skip_scaling(bits, 16 if number < 6 else 64)
    return chroma, depth


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _order(bits: Bits) -> None:
    """``pic_order_cnt_type`` and what belongs to it."""
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.read()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _buffered(bits: Bits) -> int | None:
    """``max_dec_frame_buffering`` at the end of the VUI (section E.1.1), where it is said."""
    if bits.read() and bits.read(8) == EXTENDED_SAR:
        bits.read(32)
    if bits.read():
        bits.read()
    if bits.read():
        bits.read(4)
        if bits.read():
            bits.read(24)
    if bits.read():
        bits.unsigned()
        bits.unsigned()
    if bits.read():
        bits.read(65)
    if _skip_rates(bits) | _skip_rates(bits):
        bits.read()
    bits.read()
    if not bits.read():
        return None
    bits.read()
    for _ in range(5):
        bits.unsigned()
    return bits.unsigned()


def _skip_rates(bits: Bits) -> bool:
    """``hrd_parameters`` (section E.1.2), and whether they are there."""
    if not bits.read():
        return False
    count = bits.unsigned() + 1
    bits.read(8)
    for _ in range(min(count, 32)):
        bits.unsigned()
        bits.unsigned()
        bits.read()
    bits.read(20)
    return True
