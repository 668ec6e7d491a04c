"""Is a part of the file missing? Read from the sizes that the container itself declares; no demuxer is asked.

FFmpeg opens a fast-start mp4 that was cut at three quarters and declares every frame of it. The boxes say better:

- ISO base media (mp4, mov): ISO/IEC 14496-12, section 4.2: size (32 bit), type, size (64 bit where the first is 1).
- Matroska and WebM: RFC 8794: EBML header, then the Segment with its size (all ones: unknown, as live recordings have).
- AVI: the RIFF chunk's size (1 GiB parts may follow it, so that only a size beyond the end of the file says something).
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from moviola_workers.engine.failures import refused

# A size further than this beyond the end is no cut file, it is nonsense.
ABSURD = 1 << 42
TOP_LEVEL = frozenset(
    {
        b"ftyp",
        b"styp",
        b"moov",
        b"mdat",
        b"moof",
        b"free",
        b"skip",
        b"wide",
        b"pnot",
        b"sidx",
        b"udta",
        b"uuid",
        b"meta",
    }
)
SEGMENT = 0x18538067
CLUSTER = 0x1F43B675


@dataclass(frozen=True, slots=True)
class Part:
    """A top-level part: its name, and the offset of its end as declared."""

    name: bytes
    end: int


def refuse_truncated(path: Path) -> None:
    """``media.truncated`` where a declared part ends beyond the file's end, or an mp4 has no index; else nothing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = list(_parts(file, size))
    for part in parts:
        if part.end > size + ABSURD:
            raise refused("media.corrupt", f"A part of the file claims {part.end} bytes, which is absurd.")
        if part.end > size:
            raise refused("media.truncated", f"The file is cut off: {part.end} bytes are declared, {size} are there.")
    names = {part.name for part in parts}
    if b"mdat" in names and not names & {b"moov", b"moof"}:
        raise refused("media.truncated", "The file is cut off: its index (moov) is missing.")


def _parts(file: BinaryIO, size: int) -> Iterator[Part]:
    head = file.read(12)
    file.seek(0)
    if head[4:8] in TOP_LEVEL:
        yield from boxes(file, size)
    elif head[:4] == b"\x1a\x45\xdf\xa3":
        yield from _segment(file)
    elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        yield Part(name=b"RIFF", end=8 + struct.unpack("<I", head[4:8])[0])


def boxes(file: BinaryIO, size: int) -> Iterator[Part]:
    """The top-level boxes of ISO base media, in order, up to one that is unknown."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        length, name = struct.unpack(">I4s", file.read(8))
        if name not in TOP_LEVEL:
            return  # Trailing bytes of an unknown sort; FFmpeg passes over them too.
        if length == 1:
            wide = file.read(8)
            length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 0
        end = size if length == 0 else position + length
        yield Part(name=name, end=end)
        if length != 0 and length < 8:
            return
        position = end


def _segment(file: BinaryIO) -> Iterator[Part]:
    """The first Segment; anything that does not parse says nothing."""
    _number(file, keep_marker=True)
    header = _number(file)
    if header is None:
        return
    _skip(file, header)
    if _number(file, keep_marker=True) == SEGMENT:
        length = _number(file)
        if length is not None:
            yield Part(name=b"Segment", end=file.tell() + length)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """The names of the chunks in an AVI's first RIFF list, in order."""
    position = 12
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        name, length = struct.unpack("<4sI", head)
        yield name
        # A chunk begins at an even place.
        position += 8 + length + length % 2


def elements(file: BinaryIO) -> Iterator[int]:
    """The ids of the elements in the first Segment, in order, up to the first Cluster or what does not parse."""
    _number(file, keep_marker=True)
    header = _number(file)
    if header is None:
        return
    _skip(file, header)
    if _number(file, keep_marker=True) != SEGMENT:
        return
    _number(file)
    while (name := _number(file, keep_marker=True)) is not None:
        yield name
        length = _number(file)
        if name == CLUSTER or length is None:
            return
        _skip(file, length)


def _skip(file: BinaryIO, length: int) -> None:
    """Pass over so many bytes, but not beyond the end: a length may claim more than any file system has a place for."""
    position = file.tell() + length
    file.seek(min(position, file.seek(0, os.SEEK_END)))


def _number(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """A variable-size integer; None for one that is not there, or that means "unknown" (all ones)."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) != width - 1:
        return None
    value = int.from_bytes(first + rest)
    if keep_marker:
        return value
    value &= (1 << (7 * width)) - 1
    return None if value == (1 << (7 * width)) - 1 else value
