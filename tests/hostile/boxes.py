"""Files built box by box, since no muxer writes what these say."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

FTYP = b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom"


def box(name: bytes, *content: bytes, size: int | None = None) -> bytes:
    """A box of ISO/IEC 14496-12; *size* is what it says of itself, where that is not the truth."""
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8 if size is None else size, name) + body


def wide(name: bytes, content: bytes) -> bytes:
    """A box that says its size in 64 bits."""
    return struct.pack(">I4sQ", 1, name, len(content) + 16) + content


def full(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    return box(name, struct.pack(">I", flags), *content)


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


@dataclass(frozen=True)
class Track:
    """A track of video by its tables; the defaults are one sample of one byte, a tenth of a second long."""

    stsd: bytes
    stts: Sequence[int] = (1, 1, 100)
    stsc: Sequence[int] = (1, 1, 1, 1)
    stsz: Sequence[int] = (1, 1)
    stco: Sequence[int] = (1, 0)
    more: bytes = b""
    dref: bytes = field(default_factory=lambda: full(b"dref", numbers(1), full(b"url ", flags=1)))
    edits: bytes = b""

    def trak(self) -> bytes:
        tables = ((b"stts", self.stts), (b"stsc", self.stsc), (b"stsz", self.stsz), (b"stco", self.stco))
        stbl = box(b"stbl", self.stsd, *(full(name, numbers(*values)) for name, values in tables), self.more)
        minf = box(b"minf", full(b"vmhd", bytes(8), flags=1), box(b"dinf", self.dref), stbl)
        mdhd = full(b"mdhd", numbers(0, 0, 1000, 1000), b"\x55\xc4\x00\x00")
        hdlr = full(b"hdlr", bytes(4), b"vide", bytes(13))
        tkhd = full(b"tkhd", numbers(0, 0, 1, 0, 1000), bytes(16), _unity(), numbers(64 << 16, 64 << 16), flags=3)
        return box(b"trak", tkhd, self.edits, box(b"mdia", mdhd, hdlr, minf))


def movie(*tracks: bytes, mdat: bytes = b"x" * 64, before: bytes = b"", more: bytes = b"") -> bytes:
    """A file with its media first, at byte ``MEDIA`` where nothing comes *before*."""
    mvhd = full(b"mvhd", numbers(0, 0, 1000, 1000, 1 << 16), b"\x01\x00", bytes(10), _unity(), bytes(24), numbers(2))
    return FTYP + before + box(b"mdat", mdat) + box(b"moov", mvhd, *tracks, more)


MEDIA = len(FTYP) + 8


def _unity() -> bytes:
    return numbers(1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def sample_entry(name: bytes, *more: bytes, width: int = 64, height: int = 64) -> bytes:
    size = struct.pack(">HH", width, height)
    entry = bytes(6) + b"\x00\x01" + bytes(16) + size + numbers(72 << 16, 72 << 16, 0) + b"\x00\x01" + bytes(32)
    return full(b"stsd", numbers(1), box(name, entry, b"\x00\x18\xff\xff", *more))


def avc(width: int, height: int) -> bytes:
    """The sample entry of an H.264 stream whose sequence parameter set says that size; the entry itself says 64×64."""
    sps, pps = sequence_set(width, height), bytes.fromhex("68ce3880")
    record = b"\x01\x42\xc0\x3e\xff\xe1" + struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", 4) + pps
    return sample_entry(b"avc1", box(b"avcC", record))


def sequence_set(width: int, height: int) -> bytes:
    """ITU-T H.264, section 7.3.2.1.1: baseline, one reference, no cropping."""
    bits = "".join(
        [*map(_golomb, (0, 0, 2, 1)), "0", _golomb(width // 16 - 1), _golomb(height // 16 - 1), "1", "1", "0", "0", "1"]
    )
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    payload = bytes((66, 0xC0, 62)) + int(bits, 2).to_bytes(len(bits) // 8)
    return b"\x67" + payload.replace(b"\x00\x00\x00", b"\x00\x00\x03\x00").replace(b"\x00\x00\x01", b"\x00\x00\x03\x01")


def idr() -> bytes:
    """A picture that goes with ``sequence_set``, up to its first few macroblocks; the decoder conceals the rest."""
    header = "".join(map(_golomb, (0, 7, 0))) + "0000" + _golomb(0) + _golomb(0) + "00" + _golomb(0) + _golomb(0)
    bits = header + "1" * (400 - len(header))
    unit = b"\x65" + int(bits, 2).to_bytes(50)
    return len(unit).to_bytes(4) + unit


def _golomb(value: int) -> str:
    word = f"{value + 1:b}"
    return "0" * (len(word) - 1) + word


def nested(depth: int, name: bytes = b"moov") -> bytes:
    """So many boxes, one in the other."""
    lengths = (8 * number for number in range(depth, 0, -1))
    return b"".join(struct.pack(">I4s", length, name) for length in lengths)


def fragment(samples: int, flags: int = 0) -> bytes:
    """A movie fragment of that many samples, none of which it describes."""
    tfhd = full(b"tfhd", numbers(1, 100, 1), flags=0x020018)
    return box(b"moof", full(b"mfhd", numbers(1)), box(b"traf", tfhd, full(b"trun", numbers(samples), flags=flags)))


def ebml(number: int, content: bytes, size: int | None = None) -> bytes:
    """An element of EBML (RFC 8794) with a size of eight bytes; *size* is the one that it claims."""
    length = len(content) if size is None else size
    return number.to_bytes((number.bit_length() + 7) // 8) + (length | 1 << 56).to_bytes(8) + content


def matroska(*elements: bytes) -> bytes:
    header = ebml(0x1A45DFA3, ebml(0x4282, b"matroska") + ebml(0x4287, b"\x04") + ebml(0x4285, b"\x02"))
    return header + ebml(0x18538067, b"".join(elements))


def chunk(name: bytes, *content: bytes) -> bytes:
    """A chunk of RIFF, padded to even."""
    body = b"".join(content)
    return name + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def avi(streams: Sequence[bytes], chunks: Sequence[bytes]) -> bytes:
    header = struct.pack("<14I", 40000, 0, 0, 0, 10, 0, len(streams), 0, 64, 64, 0, 0, 0, 0)
    hdrl = chunk(b"LIST", b"hdrl", chunk(b"avih", header), *streams)
    return chunk(b"RIFF", b"AVI ", hdrl, chunk(b"LIST", b"movi", *chunks))


def avi_stream(kind: bytes, handler: bytes, form: bytes) -> bytes:
    header = struct.pack("<4s4sIHHIIIIIIIIhhhh", kind, handler, 0, 0, 0, 0, 1, 25, 0, 10, 0, 0, 0, 0, 0, 64, 64)
    return chunk(b"LIST", b"strl", chunk(b"strh", header), chunk(b"strf", form))


def bitmap_header(codec: bytes, width: int = 64, height: int = 64) -> bytes:
    return struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, 0, 0, 0, 0, 0)
