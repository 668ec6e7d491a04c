"""What the index of an mp4 claims, looked at before FFmpeg makes room for it (measured: 873 bytes that claim fifty
million samples in a fragment took 1.8 GB and five seconds to open; a thousand tracks took 740 MB).

ISO/IEC 14496-12: tables give the number of their entries, then the entries (sections 8.6.1.2, 8.9.2); a fragment's run
of samples may describe none of them (section 8.8.8). Boxes of other formats are not looked into: their tables are no
longer than the bytes that are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from struct import unpack
from typing import BinaryIO

from moviola.messages import Limits
from moviola_workers.engine.failures import refused

MOVIES = (b"moov", b"moof")
HOLDERS = frozenset({*MOVIES, b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"traf"})
# Real files have six.
DEEPEST = 12
# Of one movie or fragment; real ones have some thirty a track.
MOST_BOXES = 10_000
# Of a file: six hours in fragments of a fiftieth of a second.
MOST_PARTS = 2_000_000
# Tables with the number of their entries behind version and flags, and the bytes of an entry.
TABLES = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stss": 4, b"stco": 4, b"co64": 8}
# Which flags of a run mean four bytes for each of its samples.
A_SAMPLE = 0xF00


@dataclass(slots=True)
class _Claims:
    limits: Limits
    tracks: int = 0
    undescribed: int = 0


def refuse_absurd_claims(path: Path, limits: Limits) -> None:
    """``media.corrupt`` where tables are longer than their boxes, boxes nest absurdly, or samples are told of that
    nothing describes; ``media.too_many_streams`` for more tracks than are published; ``media.unrecognized`` for media
    that lie in other files. Nothing where it is no mp4.
    """
    claims = _Claims(limits)
    with path.open("rb") as file:
        # FFmpeg passes over boxes that it does not know, so that an index may come behind any number of them.
        for number, (name, begin, end) in enumerate(_children(file, 0, path.stat().st_size)):
            if number > MOST_PARTS:
                raise refused("media.corrupt", "The boxes of the file are absurdly many.")
            if name in MOVIES:
                _look(file, name, begin, end, claims)


def _look(file: BinaryIO, name: bytes, begin: int, end: int, claims: _Claims) -> None:
    waiting, seen = [(name, begin, end, 1)], 0
    while waiting:
        name, begin, end, depth = waiting.pop()
        if depth > DEEPEST or seen > MOST_BOXES:
            raise refused("media.corrupt", "The boxes of the file are absurdly many, or absurdly deep.")
        if name in HOLDERS:
            inner = [(*one, depth + 1) for one in islice(_children(file, begin, end), MOST_BOXES + 1)]
            waiting += inner
            seen += len(inner)
        _check(file, name, begin, end, claims)


def _children(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes in a row, whatever they are called, with where their content begins and ends."""
    while begin + 8 <= end:
        file.seek(begin)
        length, name = unpack(">I4s", file.read(8))
        inside = begin + 8
        if length == 1:
            inside, length = begin + 16, int.from_bytes(file.read(8))
        # A size of zero means "to the end"; other sizes that can't be are FFmpeg's to judge.
        stop = end if length == 0 else min(begin + length, end)
        if stop < inside:
            return
        yield name, inside, stop
        begin = stop


def _check(file: BinaryIO, name: bytes, begin: int, end: int, claims: _Claims) -> None:
    file.seek(begin)
    head = file.read(min(12, end - begin)).ljust(12, b"\x00")
    flags, first, second = unpack(">III", head)
    room = end - begin
    match name:
        case b"trak":
            claims.tracks += 1
            if claims.tracks > claims.limits.max_streams:
                raise refused("media.too_many_streams", f"The file has more than {claims.limits.max_streams} streams.")
        case b"stsz" if first == 0:
            _refuse_unless(second * 4 <= room - 12)
        case b"dref":
            _refuse_elsewhere(file, begin, end)
        case b"sbgp":
            _refuse_unless(_groups(file, begin, flags) * 8 <= room)
        case b"trun":
            _run(flags & 0xFFFFFF, first, room, claims)
        case name if name in TABLES:
            _refuse_unless(first * TABLES[name] <= room - 8)


def _refuse_elsewhere(file: BinaryIO, begin: int, end: int) -> None:
    """FFmpeg is not told to follow such a reference; what it reads instead is not what the file means."""
    for _, inside, stop in _children(file, begin + 8, end):
        file.seek(inside)
        here = int.from_bytes(file.read(4)) & 1
        if not here and stop - inside > 4:
            raise refused("media.unrecognized", "The file only names others, in which its pictures would be.")


def _groups(file: BinaryIO, begin: int, flags: int) -> int:
    """The entries of a table of sample groups; its first version has a parameter in front of their number."""
    file.seek(begin + (8 if flags >> 24 == 0 else 12))
    return int.from_bytes(file.read(4))


def _run(flags: int, samples: int, room: int, claims: _Claims) -> None:
    described = 4 * (flags & A_SAMPLE).bit_count()
    _refuse_unless(samples * described <= room - 8)
    if not described:
        claims.undescribed += samples
        _refuse_unless(claims.undescribed <= claims.limits.max_frames)


def _refuse_unless(possible: bool) -> None:
    if not possible:
        raise refused("media.corrupt", "The file's index claims more than there can be.")
