"""What is no video: told so from its first bytes, or from its streams."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from PIL import Image

from tests.hostile.boxes import box, ebml, matroska
from tests.hostile.ward import End, Ward
from tests.media.clips import Clip, make, numbered

TEXTS = {
    "text": "Just some words.\n" * 50,
    "one letter": "a",
    "html": "<!doctype html><html><body><video src='x.mp4'></video></body></html>",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nñ\n",
    "script": "#!/bin/sh\nrm -rf /\n",
    "json": '{"video": true}',
}
BYTES = {
    "nothing": b"",
    "zeros": bytes(100_000),
    "one zero": b"\x00",
    "noise": bytes((n * n * 31 + n // 7) % 251 for n in range(50_000)),
    "zip": b"PK\x03\x04" + bytes(range(256)) * 20,
    "pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "program": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
    "windows program": b"MZ\x90\x00" + bytes(range(256)) * 20,
    "database": b"SQLite format 3\x00" + bytes(range(256)) * 20,
    "playlist behind a mark": b"\xef\xbb\xbf#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n",
    "wide text": "some words".encode("utf-16"),
}


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return make(tmp_path / "whole.mp4", Clip(frames=5)).read_bytes()


def _written(tmp_path: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    paths = {name: tmp_path / f"clip-{number}.mp4" for number, name in enumerate(contents)}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    return paths


def _codes(ends: dict[str, End]) -> dict[str, str | None]:
    assert all(end.permanent for end in ends.values())
    assert all(end.seconds < 1 for end in ends.values())
    return {name: end.code for name, end in ends.items()}


async def test_what_is_no_video_by_its_first_bytes_is_unrecognized(ward: Ward, tmp_path: Path, clip: bytes) -> None:
    contents = {name: text.encode() for name, text in TEXTS.items()} | BYTES
    # Two things at once: what comes first decides, as it does for whoever else looks.
    contents |= {f"{name} before a video": head + b"\n" + clip for name, head in contents.items() if len(head) > 1}
    del contents["zeros before a video"]

    ends = await ward.probe_all(_written(tmp_path, contents))

    assert _codes(ends) == dict.fromkeys(contents, "media.unrecognized")


async def test_a_video_with_something_else_behind_or_within_it_is_a_video(
    ward: Ward, tmp_path: Path, clip: bytes
) -> None:
    """It is decoded and encoded anew, so that nothing of the stowaway is in the result."""
    stowaway = b"<script>PK\x03\x04 #EXTM3U stowaway</script>"
    source = tmp_path / "clip.mp4"
    source.write_bytes(clip + box(b"free", stowaway) + stowaway)

    end = await ward.edit(source)

    assert b"stowaway" not in end.file.read_bytes()


async def test_still_pictures_are_no_videos(ward: Ward, tmp_path: Path) -> None:
    sources = {form: tmp_path / form for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "AVIF")}
    for form, path in sources.items():
        Image.new("RGB", (64, 64), "red").save(path, format=form)

    assert _codes(await ward.probe_all(sources)) == dict.fromkeys(sources, "media.not_video")


async def test_a_picture_that_would_fill_the_memory_is_never_decoded(ward: Ward, tmp_path: Path) -> None:
    """Thirty thousand by thirty thousand pixels of one colour: a third of a megabyte here, 2.7 GB unpacked."""
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"".join(_png_bomb(30_000)))
    assert source.stat().st_size < 4_000_000

    end = await ward.probe(source)

    assert (end.code, end.permanent) == ("media.not_video", True)
    assert end.seconds < 0.5
    assert end.grown < 20


async def test_a_picture_bomb_within_a_video_is_never_decoded_either(ward: Ward, tmp_path: Path) -> None:
    """As a cover, and as the only frame: a stream of PNG in a container that says 64×64."""
    source = make(tmp_path / "small.mov", Clip(frames=1, width=64, height=64, codec="png", pixels="rgb24"))
    data = source.read_bytes()
    begin = data.index(b"\x89PNG")
    end = data.index(b"IEND") + 8
    bomb = b"".join(_png_bomb(30_000))
    # Behind all else, so that only one number of the index changes, and its size.
    placed = data[:begin] + bytes(end - begin) + data[end:] + box(b"mdat", bomb)
    placed = _pointing(placed, begin, len(data) + 8, end - begin, len(bomb))
    source.write_bytes(placed)

    ended = await ward.probe(source)

    assert ended.code in ("media.corrupt", "media.too_large")
    assert ended.grown < 100
    assert ended.seconds < 2


def _pointing(data: bytes, was: int, now: int, size_was: int, size: int) -> bytes:
    for name, old, new in ((b"stco", was, now), (b"stsz", size_was, size)):
        table = data.index(name)
        place = data.index(old.to_bytes(4), table)
        data = data[:place] + new.to_bytes(4) + data[place + 4 :]
    return data


def _png_bomb(side: int) -> Iterator[bytes]:
    # A piece that is packed once can be repeated: it refers to nothing before itself.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = -(-side * (1 + 3 * side) >> 20)
    checksum = (count << 20) % 65521 << 16 | 1
    data = b"\x78\xda" + piece * count + packer.flush() + checksum.to_bytes(4)
    yield b"\x89PNG\r\n\x1a\n"
    yield from _png_chunk(b"IHDR", side.to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00")
    yield from _png_chunk(b"IDAT", data)
    yield from _png_chunk(b"IEND", b"")


def _png_chunk(name: bytes, data: bytes) -> Iterator[bytes]:
    yield len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


async def test_sound_alone_has_no_video_stream(ward: Ward, tmp_path: Path) -> None:
    forms = {"mp4": "aac", "mkv": "libopus", "ogg": "libopus", "mp3": "libmp3lame", "wav": "pcm_s16le", "flac": "flac"}
    sources = {suffix: _sound(tmp_path / f"clip.{suffix}", codec) for suffix, codec in forms.items()}

    assert _codes(await ward.probe_all(sources)) == dict.fromkeys(forms, "media.no_video_stream")


async def test_a_cover_is_no_video_stream(ward: Ward, tmp_path: Path) -> None:
    end = await ward.probe(_sound(tmp_path / "clip.mp4", "aac", cover=True))

    assert (end.code, end.permanent) == ("media.no_video_stream", True)


def _sound(path: Path, codec: str, *, cover: bool = False) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000)
        picture = container.add_stream("mjpeg", rate=1) if cover else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
            picture.disposition = Disposition.attached_pic
        for number in range(10):
            size = stream.codec_context.frame_size or 960
            frame = av.AudioFrame(stream.codec_context.format.name, "stereo", size)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 48000, number * size
            container.mux(stream.encode(frame))
            if picture is not None and number == 0:
                container.mux(picture.encode(numbered(Clip(width=64, height=64), 1).reformat(format="yuvj420p")))
        container.mux(stream.encode(None))
    return path


async def test_a_matroska_file_without_tracks_has_no_video_stream(ward: Ward, tmp_path: Path) -> None:
    source = tmp_path / "clip.mkv"
    source.write_bytes(matroska(ebml(0x1549A966, ebml(0x2AD7B1, b"\x0f\x42\x40")), ebml(0x1654AE6B, b"")))

    end = await ward.probe(source)

    assert (end.code, end.permanent) in (("media.no_video_stream", True), ("media.corrupt", True))
