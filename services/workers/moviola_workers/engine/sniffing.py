"""What the first bytes say, before any demuxer sees the file: what is plainly no video is refused at once.

Playlists and session descriptions are text, so none of them reaches FFmpeg; the demuxer whitelist is the second lock.
"""

from collections.abc import Iterator
from pathlib import Path

from moviola_workers.engine.failures import refused

HEAD = 4096
STILLS: tuple[bytes, ...] = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"8BPS",
    b"\x00\x00\x00\x0cJXL ",
    b"\xff\x0a",
    b"\x00\x00\x00\x0cjP  ",
    b"qoif",
)
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"avis")
SOUNDS: tuple[bytes, ...] = (b"ID3", b"fLaC", b"#!AMR", b"MAC ", b"FORM", b"caff", b".snd")
OTHERS: tuple[bytes, ...] = (
    b"PK\x03\x04",
    b"\x7fELF",
    b"%PDF",
    b"MZ",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"SQLite ",
)
TEXTUAL_VIDEO = b"YUV4MPEG2 "


def refuse_what_is_no_video(path: Path) -> None:
    """``media.not_video`` for stills, ``media.no_video_stream`` for sounds, ``media.unrecognized`` for the rest."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\x00"):
        raise refused("media.unrecognized", "The file is empty." if not head else "The file holds nothing but zeros.")
    if _is_still(head):
        raise refused("media.not_video", "This is a still picture, not a video.")
    if head.startswith(SOUNDS) or (head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"):
        raise refused("media.no_video_stream", "This is a sound file: it has no video stream.")
    if head.startswith(OTHERS) or _is_text(head):
        raise refused("media.unrecognized", "This is no video file that Moviola knows.")


def _is_still(head: bytes) -> bool:
    if head.startswith(STILLS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    # An icon: after its mark the number of pictures, and a reserved zero in the first one's entry.
    if len(head) > 9 and head[:4] == b"\x00\x00\x01\x00" and 0 < head[4] < 64 and head[5] == head[9] == 0:
        return True
    if head[:2] == b"BM" and head[6:10] == b"\x00\x00\x00\x00":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS


def _is_text(head: bytes) -> bool:
    if head.startswith(TEXTUAL_VIDEO):
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return all(byte >= 32 or byte in b"\t\n\r\x0b\x0c\x1b" for byte in head[:512]) and _is_utf8(head[:512])


def _is_utf8(sample: bytes) -> bool:
    # A character cut at the sample's end is no mistake.
    return any(_decodes(sample[: len(sample) - cut]) for cut in _cuts(sample))


def _cuts(sample: bytes) -> Iterator[int]:
    yield from range(min(4, len(sample)))


def _decodes(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
