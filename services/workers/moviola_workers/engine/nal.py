"""The units that an H.264 stream is made of, and the bits inside them (ITU-T H.264, sections 7.3 and 9.1, annex B).

Units come with a length in front of each (mp4, mkv) or with a start code between them (annex B: ts, raw streams).
"""

import re
from collections.abc import Iterator

SLICE, IDR, SEI, SPS, PPS, DELIMITER = 1, 5, 6, 7, 8, 9
# Partitioned slices, and the layers of the scalable and multiview extensions.
BEYOND = frozenset({2, 3, 4, 15, 20, 21})
START_CODE = re.compile(rb"\x00\x00\x01")
LENGTH = 4


class BrokenUnits(ValueError):
    """The bytes are no row of units."""


def kind_of(unit: bytes | memoryview) -> int:
    """``nal_unit_type``."""
    return unit[0] & 0x1F


def units(data: bytes | memoryview, length_size: int | None) -> Iterator[bytes | memoryview]:
    """The units in *data*, with lengths of so many bytes in front, or (None) with start codes; none of them is empty.

    ``BrokenUnits`` where a length points beyond the end.
    """
    return _started(bytes(data)) if length_size is None else _measured(memoryview(data), length_size)


def _measured(data: memoryview, length_size: int) -> Iterator[memoryview]:
    position, total = 0, len(data)
    while position < total:
        begin = position + length_size
        position = begin + int.from_bytes(data[position:begin], "big")
        if position > total or begin > total:
            raise BrokenUnits("a unit reaches beyond its packet")
        if position > begin:
            yield data[begin:position]


def _started(data: bytes) -> Iterator[bytes]:
    codes = [code.span() for code in START_CODE.finditer(data)]
    if not codes:
        raise BrokenUnits("there is no start code")
    ends = [begin for begin, _ in codes[1:]] + [len(data)]
    for (_, begin), end in zip(codes, ends, strict=True):
        # Zeros behind a unit belong to the next start code, or are filling; no unit ends in one.
        unit = data[begin:end].rstrip(b"\x00")
        if unit:
            yield unit


def measured(row: Iterator[bytes | memoryview]) -> bytes:
    """The units as mp4 keeps them: four bytes of length in front of each."""
    return b"".join(len(unit).to_bytes(LENGTH, "big") + bytes(unit) for unit in row)


class Bits:
    """Reads the payload of one unit bit by bit; ``BrokenUnits`` beyond its end."""

    def __init__(self, unit: bytes) -> None:
        # Section 7.4.1: a three behind two zeros only keeps start codes from appearing.
        payload = unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(payload, "big")
        self._left = len(payload) * 8

    def read(self, count: int = 1) -> int:
        """u(n)"""
        self._left -= count
        if self._left < 0:
            raise BrokenUnits("a parameter set ends too early")
        return self._value >> self._left & ((1 << count) - 1)

    def unsigned(self) -> int:
        """ue(v)"""
        zeros = 0
        while not self.read():
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """se(v)"""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)
