"""``Range`` and ``multipart/byteranges`` (RFC 9110, sections 14 and 15.3.7). Pure.

A header that is malformed, of another unit, or that wants more than 8 separate parts is ignored: the whole file is
sent with 200, as the RFC allows. Ranges that overlap or touch are sent as one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PARTS = 8
# Room for any file and no work for absurd numbers.
_SPEC = re.compile(r"([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From ``start`` (inclusive) to ``end`` (exclusive)."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """The value of ``Content-Range``, whose last byte is inclusive."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_ranges(header: str, size: int) -> Sequence[ByteRange] | None:
    """The parts of a file of *size* bytes to send; none of them: 416; None: ignore the header and send all."""
    unit, separator, specs = header.partition("=")
    if not separator or unit.strip().lower() != "bytes":
        return None
    wanted = []
    for spec in specs.split(","):
        if not spec.strip(" \t"):
            continue
        match = _SPEC.fullmatch(spec.strip(" \t"))
        if match is None or not (match[1] or match[2]) or (match[1] and match[2] and int(match[1]) > int(match[2])):
            return None
        satisfiable = _satisfiable(match[1], match[2], size)
        if satisfiable is not None:
            wanted.append(satisfiable)
    if not specs.strip(" \t,"):
        return None
    parts = _coalesced(wanted)
    return parts if len(parts) <= MAX_PARTS else None


def _satisfiable(first: str, last: str, size: int) -> ByteRange | None:
    if not first:
        length = min(int(last), size)
        return ByteRange(size - length, size) if length else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return ByteRange(start, end) if start < size else None


def _coalesced(wanted: Sequence[ByteRange]) -> list[ByteRange]:
    """Joined where they overlap or touch, otherwise in the order in which they were asked for."""
    joined: list[tuple[int, ByteRange]] = []
    for order, one in sorted(enumerate(wanted), key=lambda item: item[1].start):
        if joined and one.start <= joined[-1][1].end:
            before, last = joined[-1]
            joined[-1] = (min(before, order), ByteRange(last.start, max(last.end, one.end)))
        else:
            joined.append((order, one))
    return [one for _, one in sorted(joined, key=lambda item: item[0])]


@dataclass(frozen=True, slots=True)
class Multipart:
    """A ``multipart/byteranges`` body: its ranges each behind a head, then ``closing``."""

    ranges: Sequence[ByteRange]
    size: int
    media_type: str
    boundary: str

    @property
    def content_type(self) -> str:
        return f"multipart/byteranges; boundary={self.boundary}"

    def head(self, index: int) -> bytes:
        """What goes before the range with that index."""
        one = self.ranges[index]
        before = "" if index == 0 else "\r\n"
        return (
            f"{before}--{self.boundary}\r\nContent-Type: {self.media_type}\r\n"
            f"Content-Range: {one.content_range(self.size)}\r\n\r\n"
        ).encode()

    @property
    def closing(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()

    @property
    def length(self) -> int:
        """Of the whole body."""
        heads = sum(len(self.head(index)) for index in range(len(self.ranges)))
        return heads + sum(one.length for one in self.ranges) + len(self.closing)
