"""The names by which a playlist tells players what they need (RFC 6381), read from an mp4's own head."""

from collections.abc import Callable, Mapping

from moviola_workers.engine.fragments import box, boxes

# Fields of a sample entry before its own boxes: ISO/IEC 14496-12, sections 12.1.3 and 12.2.3.
_PICTURE_FIELDS, _SOUND_FIELDS = 78, 28
_MP4_AUDIO = 0x40


def codec_name(head: bytes) -> str:
    """The name of the one track's codec; ``ValueError`` for one that has none here."""
    entries = box(head, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd") or b""
    kind, entry = next(boxes(entries), (b"", b""))
    if kind not in _NAMES:
        raise ValueError(f"a codec {kind!r} has no name here")
    fields, configuration, name = _NAMES[kind]
    found = box(entry[fields:], configuration)
    if found is None:
        raise ValueError(f"a track {kind!r} lacks its {configuration!r}")
    return name(kind.decode(), found)


def _avc(kind: str, configuration: bytes) -> str:
    """ISO/IEC 14496-15, section E.3: profile, constraints and level of the sequence parameter set."""
    return f"{kind}.{configuration[1:4].hex()}"


def _hevc(kind: str, configuration: bytes) -> str:
    """ISO/IEC 14496-15, section E.3."""
    space = ("", "A", "B", "C")[configuration[1] >> 6]
    tier = "H" if configuration[1] & 0x20 else "L"
    compatible = int(f"{int.from_bytes(configuration[2:6], 'big'):032b}"[::-1], 2)
    constraints = configuration[6:12].rstrip(b"\x00")
    parts = [f"{space}{configuration[1] & 0x1F}", f"{compatible:X}", f"{tier}{configuration[12]}"]
    return ".".join([kind, *parts, *(f"{one:X}" for one in constraints)])


def _av1(kind: str, configuration: bytes) -> str:
    """AV1 Codec ISO Media File Format Binding, section 5."""
    profile, level = configuration[1] >> 5, configuration[1] & 0x1F
    tier = "H" if configuration[2] & 0x80 else "M"
    depth = 8 if not configuration[2] & 0x40 else 12 if configuration[2] & 0x20 else 10
    return f"{kind}.{profile}.{level:02}{tier}.{depth:02}"


def _mp4a(kind: str, configuration: bytes) -> str:
    """ISO/IEC 14496-1, section 7.2.6: what kind of object, and for MPEG-4 audio of which type."""
    descriptors = dict(_descriptors(configuration[4:]))
    object_type = descriptors[4][0]
    if object_type != _MP4_AUDIO:
        return f"{kind}.{object_type:02x}"
    specific = int.from_bytes(descriptors[5][:2].ljust(2, b"\x00"), "big")
    audio_type = specific >> 11
    return f"{kind}.{object_type:02x}.{audio_type if audio_type < 31 else 32 + (specific >> 5 & 0x3F)}"


# How many bytes of its own a descriptor has before the ones inside of it; the others hold none.
_INSIDE = {3: 3, 4: 13}


def _descriptors(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while len(data) > 1:
        tag, size, position = data[0], 0, 1
        while True:
            size = size << 7 | data[position] & 0x7F
            position += 1
            if not data[position - 1] & 0x80:
                break
        content, data = data[position : position + size], data[position + size :]
        found.append((tag, content))
        if tag in _INSIDE:
            found += _descriptors(content[_INSIDE[tag] :])
    return found


_NAMES: Mapping[bytes, tuple[int, bytes, Callable[[str, bytes], str]]] = {
    b"avc1": (_PICTURE_FIELDS, b"avcC", _avc),
    b"hvc1": (_PICTURE_FIELDS, b"hvcC", _hevc),
    b"av01": (_PICTURE_FIELDS, b"av1C", _av1),
    b"mp4a": (_SOUND_FIELDS, b"esds", _mp4a),
}
