"""The published limits, kept while a task runs, whatever the headers say."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from moviola.messages import Limits
from moviola.plan import Edit, Span
from moviola.recipe import Output
from tests.hostile.boxes import (
    MEDIA,
    Track,
    avc,
    avi,
    avi_stream,
    bitmap_header,
    chunk,
    ebml,
    idr,
    matroska,
    movie,
)
from tests.hostile.ward import Ward
from tests.media.clips import Clip, Tone, make

BRIEF = Limits(max_frames=50, max_seconds=30)


def _sized(path: Path, width: int, height: int) -> Path:
    """One picture by H.264's own header; the container says 64×64."""
    slice_ = idr()
    track = Track(avc(width, height), stco=(1, MEDIA), stsz=(len(slice_), 1))
    path.write_bytes(movie(track.trak(), mdat=slice_))
    return path


async def test_a_picture_of_absurd_size_is_refused_before_there_is_room_made_for_it(ward: Ward, tmp_path: Path) -> None:
    end = await ward.probe(_sized(tmp_path / "clip.mp4", 16384, 16384))

    assert (end.code, end.permanent) == ("media.too_large", True)
    assert end.grown < 50
    assert end.seconds < 0.5


async def test_the_same_picture_of_a_sane_size_is_a_video(ward: Ward, tmp_path: Path) -> None:
    facts = (await ward.probe(_sized(tmp_path / "clip.mp4", 320, 240))).probe

    assert (facts.video.width, facts.video.height) == (320, 240)


async def test_a_picture_whose_size_only_its_decoder_reads_gets_no_room_either(ward: Ward, tmp_path: Path) -> None:
    """65,535 × 65,535 by the JPEG's own header, in a container that says 64 × 64."""
    frame = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"
    source = tmp_path / "clip.avi"
    stream = avi_stream(b"vids", b"MJPG", bitmap_header(b"MJPG"))
    source.write_bytes(avi([stream], [chunk(b"00dc", frame)] * 10))

    end = await ward.probe(source)

    assert (end.code, end.permanent) == ("media.corrupt", True)
    assert end.grown < 50


async def test_a_header_that_lies_about_the_size_does_not_get_round_the_limit(ward: Ward, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=5, width=320, height=192))
    data = bytearray(source.read_bytes())
    entry = data.index(b"avc1", data.index(b"stsd"))
    data[entry + 28 : entry + 32] = bytes((0, 16, 0, 16))
    source.write_bytes(data)

    assert (await ward.probe(source, Limits(max_pixels=5000))).code == "media.too_large"
    assert (await ward.probe(source)).probe.video.width == 320


async def test_frames_spread_over_years_are_too_long(ward: Ward, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(times=[0, 40, 400 * 86_400_000]))

    for end in (await ward.probe(source), await ward.edit(source)):
        assert (end.code, end.permanent) == ("media.too_long", True)
        assert end.seconds < 2


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"], ids=["copied", "encoded"])
async def test_sound_that_goes_on_for_years_is_not_filled_up_with_silence(
    ward: Ward, tmp_path: Path, codec: str
) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=25, tone=Tone(codec=codec, start=400 * 86_400.0)))

    end = await ward.edit(source)

    assert (end.code, end.permanent) == ("media.too_long", True)
    assert end.seconds < 5


async def test_sound_long_after_the_picture_has_ended_is_left_out(ward: Ward, tmp_path: Path) -> None:
    """Within the limits, but hours of silence would have to be encoded up to it."""
    source = make(tmp_path / "clip.mkv", Clip(frames=25, tone=Tone(codec="libmp3lame", start=20_000)))

    end = await ward.edit(source)

    facts = (await ward.probe(end.file)).probe
    assert end.seconds < 5
    assert facts.audio[0].duration is None or facts.audio[0].duration < 60
    assert facts.video.frames == 25


async def test_frames_are_counted_as_they_come_where_there_is_no_header_to_be_believed(
    ward: Ward, tmp_path: Path
) -> None:
    """Two by two pixels each. Two million, the limit as it is published, take twenty seconds of one core."""
    source = tmp_path / "clip.y4m"
    with source.open("wb") as file:
        file.write(b"YUV4MPEG2 W2 H2 F240:1 Ip A1:1 C420\n")
        file.write((b"FRAME\n" + bytes(6)) * 60_000)

    end = await ward.probe(source, Limits(max_frames=50_000))

    assert (end.code, end.permanent) == ("media.too_many_frames", True)
    assert end.seconds < 10


async def test_frames_are_counted_while_they_are_decoded_shown_or_not(ward: Ward, tmp_path: Path) -> None:
    """No probe stands before these tasks, so that it is the task itself that counts."""
    source = make(tmp_path / "clip.mkv", Clip(frames=120, gop=1000))
    late = Edit(
        output=Output(preset="ultrafast"), width=160, height=96, duration=0.2, spans=(Span(start=4.5, end=4.7),)
    )

    for end in (await ward.edit(source, limits=BRIEF), await ward.edit(source, late, BRIEF)):
        assert (end.code, end.permanent) == ("media.too_many_frames", True)


async def test_sound_is_counted_while_it_is_decoded(ward: Ward, tmp_path: Path) -> None:
    limits = Limits(max_seconds=2)
    source = make(
        tmp_path / "clip.mkv", Clip(frames=10, tone=Tone(codec="libmp3lame", rate=8000, layout="mono", seconds=70))
    )

    end = await ward.edit(source, limits=limits)

    assert (end.code, end.permanent) == ("media.too_long", True)


async def test_a_task_ends_while_it_runs_where_the_file_is_longer_than_allowed(ward: Ward, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=40, rate=1))

    end = await ward.edit(source, limits=BRIEF)

    assert (end.code, end.permanent) == ("media.too_long", True)


def _movie_of(streams: int) -> bytes:
    return movie(*[Track(avc(64, 64), stco=(1, MEDIA)).trak()] * streams)


def _matroska_of(streams: int) -> bytes:
    def tracks() -> Iterator[bytes]:
        for number in range(1, streams + 1):
            name = struct.pack(">H", number)
            size = ebml(0xB0, b"\x40") + ebml(0xBA, b"\x40")
            about = ebml(0xD7, name) + ebml(0x73C5, name) + ebml(0x83, b"\x01") + ebml(0x86, b"V_VP9")
            yield ebml(0xAE, about + ebml(0xE0, size))

    cluster = ebml(0x1F43B675, ebml(0xE7, b"\x00") + ebml(0xA3, b"\x81\x00\x00\x80" + b"x" * 20))
    return matroska(ebml(0x1549A966, ebml(0x2AD7B1, b"\x0f\x42\x40")), ebml(0x1654AE6B, b"".join(tracks())), cluster)


def _avi_of(streams: int) -> bytes:
    stream = avi_stream(b"vids", b"MJPG", bitmap_header(b"MJPG"))
    return avi([stream] * streams, [chunk(b"00dc", b"\xff\xd8\xff\xd9")])


async def test_too_many_streams_are_told_before_each_gets_a_decoder(ward: Ward, tmp_path: Path) -> None:
    contents = {"33": _movie_of(33), "mp4": _movie_of(1000), "mkv": _matroska_of(1000), "avi": _avi_of(90)}
    sources = {kind: tmp_path / kind for kind in contents}
    for kind, path in sources.items():
        path.write_bytes(contents[kind])

    ends = await ward.probe_all(sources)

    assert {(end.code, end.permanent) for end in ends.values()} == {("media.too_many_streams", True)}
    assert max(end.peak for end in ends.values()) < 300
    assert max(end.seconds for end in ends.values()) < 2


async def test_a_file_beyond_the_size_that_is_allowed_is_not_opened(ward: Ward, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=5))

    assert (await ward.probe(source, Limits(max_bytes=100))).code == "media.too_large"
