"""Where the fragments of an mp4 lie, and what each of them shows (ISO/IEC 14496-12, sections 8.8 and 8.6.6).

Read from files of our own making: what a reader of any file would have to guess is not guessed here. Only heads are
read, not the media.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

# Children that lie behind fields of the box's own, and how long those are.
_FIELDS: Mapping[bytes, int] = {b"stsd": 8}
# Flags of tfhd and of trun, with the bytes of the fields in their order.
_TFHD = ((0x01, 8), (0x02, 4), (0x08, 4), (0x10, 4), (0x20, 4))
_DURATION, _SIZE, _FLAGS, _OFFSET = 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True, slots=True)
class Fragment:
    """Bytes from ``offset`` on, shown from ``start`` on; ``length`` of decoding, both in seconds.

    ``key_size`` are the bytes from the fragment's begin to the end of its first packet.
    """

    offset: int
    size: int
    start: Fraction
    length: Fraction
    packets: int
    key_size: int


@dataclass(frozen=True, slots=True)
class FragmentedFile:
    """``head`` is what comes before the first fragment: a player needs it before any of them."""

    head: bytes
    fragments: tuple[Fragment, ...]
    size: int


def read_fragments(path: Path) -> FragmentedFile:
    """``ValueError`` where the file is not a row of fragments behind its head."""
    with path.open("rb") as file:
        head = b"".join(_head(file))
        clock = _Clock.of(head)
        return FragmentedFile(head, tuple(_fragments(file, clock)), path.stat().st_size)


def box(data: bytes, *path: bytes) -> bytes | None:
    """The content of the first box that *path* leads to."""
    for name in path:
        found = next((content for kind, content in boxes(data) if kind == name), None)
        if found is None:
            return None
        data = found[_FIELDS.get(name, 0) :]
    return data


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in *data*."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if not 8 <= size <= len(data) - position:
            raise ValueError(f"a box {kind!r} has {size} bytes")
        yield kind, data[position + 8 : position + size]
        position += size


def _next(file: BinaryIO) -> tuple[bytes, int, int] | None:
    """Kind, offset and size of the box at which the file stands; None at the end."""
    offset, head = file.tell(), file.read(16)
    if not head:
        return None
    size, kind = struct.unpack_from(">I4s", head)
    return kind, offset, struct.unpack_from(">Q", head, 8)[0] if size == 1 else size


def _head(file: BinaryIO) -> Iterator[bytes]:
    while (found := _next(file)) is not None and found[0] != b"moof":
        file.seek(found[1])
        yield file.read(found[2])
    if found is None:
        raise ValueError("the file has no fragment")
    file.seek(found[1])


@dataclass(frozen=True, slots=True)
class _Clock:
    """Ticks a second, and the tick at which showing begins."""

    rate: int
    begin: int

    @classmethod
    def of(cls, head: bytes) -> "_Clock":
        mdhd = box(head, b"moov", b"trak", b"mdia", b"mdhd") or b""
        rate = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0]
        elst = box(head, b"moov", b"trak", b"edts", b"elst")
        return cls(rate, _media_time(elst) if elst is not None else 0)

    def second(self, tick: int) -> Fraction:
        return Fraction(tick - self.begin, self.rate)


def _media_time(elst: bytes) -> int:
    """Where the first edit that is not empty begins."""
    version, count = elst[0], struct.unpack_from(">I", elst, 4)[0]
    entry = struct.Struct(">Qqi" if version else ">Iii")
    times = (entry.unpack_from(elst, 8 + number * entry.size)[1] for number in range(count))
    return next((at for at in times if at >= 0), 0)


def _fragments(file: BinaryIO, clock: _Clock) -> Iterator[Fragment]:
    while (found := _next(file)) is not None:
        kind, offset, size = found
        media = None
        if kind == b"moof":
            file.seek(offset)
            moof = file.read(size)
            media = _next(file)
        if media is None or media[0] != b"mdat":
            raise ValueError(f"a box {kind!r} lies where a fragment should be")
        yield _fragment(moof, offset, size + media[2], clock)
        file.seek(offset + size + media[2])


def _fragment(moof: bytes, offset: int, size: int, clock: _Clock) -> Fragment:
    traf = box(moof, b"moof", b"traf") or b""
    tfhd, tfdt, trun = (box(traf, name) for name in (b"tfhd", b"tfdt", b"trun"))
    if tfhd is None or tfdt is None or trun is None:
        raise ValueError("a fragment lacks one of its boxes")
    begin = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)[0]
    run = _run(trun, _defaults(tfhd))
    return Fragment(
        offset=offset,
        size=size,
        start=clock.second(begin + run.first_shift),
        length=Fraction(run.duration, clock.rate),
        packets=run.packets,
        key_size=run.data_offset + run.first_size,
    )


def _defaults(tfhd: bytes) -> dict[int, int]:
    """What every packet has of whose own nothing is said: by the flag that would say it in ``trun``."""
    flags, position = int.from_bytes(tfhd[1:4], "big"), 8
    values = {}
    for flag, length in _TFHD:
        if flags & flag:
            values[flag] = int.from_bytes(tfhd[position : position + length], "big")
            position += length
    return {_DURATION: values.get(0x08, 0), _SIZE: values.get(0x10, 0)}


@dataclass(frozen=True, slots=True)
class _Run:
    packets: int
    duration: int
    first_size: int
    first_shift: int
    data_offset: int


def _run(trun: bytes, defaults: Mapping[int, int]) -> _Run:
    flags, packets = int.from_bytes(trun[1:4], "big"), struct.unpack_from(">I", trun, 4)[0]
    if not flags & 1 or not packets:
        raise ValueError("a fragment does not say where its media lies")
    data_offset = struct.unpack_from(">i", trun, 8)[0]
    position = 12 + 4 * bool(flags & 4)
    fields = [flag for flag in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & flag]
    row = struct.Struct(">" + "".join("i" if flag == _OFFSET else "I" for flag in fields))
    rows = [dict(zip(fields, values, strict=True)) for values in _rows(row, trun, position, packets)]
    first = rows[0]
    return _Run(
        packets=packets,
        duration=sum(one.get(_DURATION, defaults[_DURATION]) for one in rows),
        first_size=first.get(_SIZE, defaults[_SIZE]),
        first_shift=first.get(_OFFSET, 0),
        data_offset=data_offset,
    )


def _rows(row: struct.Struct, trun: bytes, position: int, count: int) -> Iterator[tuple[int, ...]]:
    for number in range(count):
        yield row.unpack_from(trun, position + number * row.size)
