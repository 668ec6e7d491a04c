"""Videos that are cut off, or whose bytes are not what they claim."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from moviola.messages import Limits
from moviola.plan import Edit
from moviola.recipe import Output
from tests.hostile.boxes import (
    FTYP,
    MEDIA,
    Track,
    avc,
    box,
    ebml,
    fragment,
    full,
    matroska,
    movie,
    nested,
    numbers,
    wide,
)
from tests.hostile.ward import SECONDS_BY_LAW, Ward
from tests.media.clips import Clip, Tone, make, numbered

MEMORY_BY_LAW = 300
# Nothing absurd: there are no tracks.
EMPTY = {"boxes of no size", "boxes shorter than themselves"}
MANY, EVERY = 100_000_000, 0xFFFFFFFF


async def test_files_that_are_cut_off_are_truncated(ward: Ward, tmp_path: Path) -> None:
    tone = Tone(codec="libmp3lame")
    plain, mkv, avi = (make(tmp_path / f"whole.{kind}", Clip(frames=60, tone=tone)) for kind in ("mp4", "mkv", "avi"))
    fast = tmp_path / "fast.mp4"
    fast.write_bytes((await ward.edit(plain)).file.read_bytes())
    sources = {}
    for whole in (plain, mkv, avi, fast):
        for share in (0.5, 0.75, 0.97):
            data = whole.read_bytes()
            sources[f"{whole.name} {share}"] = cut = tmp_path / f"{whole.name}-{share}.mp4"
            cut.write_bytes(data[: int(len(data) * share)])
    data = plain.read_bytes()
    sources["no moov"] = tmp_path / "no-moov.mp4"
    sources["no moov"].write_bytes(data[: data.index(b"moov") - 4])

    ends = await ward.probe_all(sources)

    assert {name: (end.code, end.permanent) for name, end in ends.items()} == dict.fromkeys(
        sources, ("media.truncated", True)
    )


async def test_garbage_instead_of_pictures_is_corrupt(ward: Ward, tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "whole.mp4", Clip(frames=100)).read_bytes())
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[begin:end] = bytes((n * 7919) % 253 for n in range(end - begin))
    source = tmp_path / "clip.mp4"
    source.write_bytes(data)

    for ended in (await ward.probe(source), await ward.edit(source), await ward.poster(source)):
        assert (ended.code, ended.permanent) == ("media.corrupt", True)
        assert ended.peak < MEMORY_BY_LAW
        assert ended.seconds < SECONDS_BY_LAW


def _tables() -> dict[str, bytes]:
    """Movies whose index claims more than there is, one claim each."""
    small = avc(64, 64)

    def one(**tables: object) -> bytes:
        return movie(Track(small, **{"stco": (1, MEDIA), **tables}).trak())  # type: ignore[arg-type]  # of any field

    extends = box(b"mvex", full(b"trex", numbers(1, 1, 0, 0, 0)))
    empty = Track(small, stts=(0,), stsc=(0,), stsz=(0, 0), stco=(0,)).trak()
    parts = movie(empty, more=extends)
    return {
        "times": one(stts=(EVERY, 1, 1)),
        "sizes": one(stsz=(0, EVERY)),
        "sizes of one byte": one(stsz=(1, EVERY)),
        "samples in one chunk": one(stsz=(1, MANY), stts=(1, MANY, 1), stsc=(1, 1, MANY, 1)),
        "chunks": one(stco=(EVERY, MEDIA)),
        "kinds of chunks": one(stsc=(EVERY, 1, 1, 1)),
        "shifts": one(more=full(b"ctts", numbers(EVERY, 1, 5))),
        "shifts of absurd length": one(more=full(b"ctts", numbers(2, EVERY, 1, 0x7FFFFFFF, 5))),
        "groups": one(more=full(b"sbgp", b"rap ", numbers(0x1FFFFFFF, 1, 1))),
        "edits": one(edits=box(b"edts", full(b"elst", numbers(0x7FFFFFFF, 100, 0, 1 << 16)))),
        "descriptions": movie(
            box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", full(b"stsd", numbers(EVERY), bytes(99))))))
        ),
        "a fragment of millions": parts + fragment(50_000_000) + box(b"mdat", b"y" * 99),
        "a fragment in a box of wide size": parts + wide(b"moof", fragment(50_000_000)[8:]) + box(b"mdat", b"y" * 99),
        "a fragment of billions": parts + fragment(EVERY) + box(b"mdat", b"y" * 99),
        "many fragments": parts + fragment(1_000_000) * 60 + box(b"mdat", b"y" * 99),
        "described samples": parts + fragment(EVERY, flags=0xF01) + box(b"mdat", b"y" * 99),
    }


def _boxes() -> dict[str, bytes]:
    inner = ebml(0x1654AE6B, ebml(0xAE, ebml(0x86, b"V_VP9") + ebml(0x63A2, b"x" * 9, size=1 << 30)))
    return {
        "media of exabytes": FTYP + b"\x00\x00\x00\x01mdat" + b"\x7f" * 8 + b"x" * 5000,
        "index of exabytes": FTYP + b"\x00\x00\x00\x01moov" + b"\x7f" * 8 + b"x" * 5000,
        "nested": FTYP + nested(10_000),
        "nested tracks": FTYP + box(b"moov", nested(10_000, b"trak")),
        "nested data": FTYP + box(b"moov", nested(10_000, b"udta")),
        "nested fragments": FTYP + box(b"moov") + nested(10_000, b"moof"),
        "nested behind a box that nobody knows": FTYP + box(b"zzzz", b"x") + box(b"moov", nested(10_000, b"trak")),
        "nested in boxes of wide sizes": FTYP + wide(b"moov", wide(b"trak", nested(10_000, b"mdia"))),
        "boxes shorter than themselves": FTYP + box(b"moov", box(b"trak", size=5), box(b"trak", b"", size=3)),
        "boxes of no size": FTYP + box(b"moov", bytes(100_000)),
        "a million empty boxes": FTYP + box(b"moov", box(b"trak", box(b"free") * 1_000_000)),
        "matroska of petabytes": matroska(ebml(0x1654AE6B, b"", size=1 << 50)),
        "matroska's private gigabyte": matroska(inner),
        "matroska without end": matroska(b"".join(ebml(0x114D9B74, b"", size=1 << 20) for _ in range(10_000))),
    }


async def test_absurd_counts_sizes_and_depths_are_corrupt_and_cost_nothing(ward: Ward, tmp_path: Path) -> None:
    contents = _tables() | _boxes()
    sources = {claim: tmp_path / f"clip-{number}.mp4" for number, claim in enumerate(contents)}
    for claim, path in sources.items():
        path.write_bytes(contents[claim])

    ends = await ward.probe_all(sources)

    codes = {claim: end.code for claim, end in ends.items()}
    assert {codes.pop(claim) for claim in EMPTY} == {"media.no_video_stream"}
    assert codes == dict.fromkeys(contents.keys() - EMPTY, "media.corrupt")
    assert all(end.permanent for end in ends.values())
    assert {claim: end.peak for claim, end in ends.items() if end.peak > MEMORY_BY_LAW} == {}
    assert {claim: end.seconds for claim, end in ends.items() if end.seconds > 2} == {}


async def test_an_encrypted_video_is_told_as_such(ward: Ward, tmp_path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    source = tmp_path / "clip.mp4"
    with av.open(str(source), "w", container_options=options) as container:
        stream = container.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p")
        for number in range(10):
            frame = numbered(Clip(width=64, height=64), number)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert (await ward.probe(source)).code == "media.encrypted"


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_an_unknown_codec_is_told_as_such(ward: Ward, tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"clip.{suffix}", Clip(frames=5))
    data = source.read_bytes()
    name = {"mp4": b"avc1", "mkv": b"V_MPEG4/ISO/AVC"}[suffix]
    entry = data.index(name, data.index(b"stsd") if suffix == "mp4" else 0)
    source.write_bytes(
        data[:entry] + name.replace(b"av", b"zz").replace(b"V_MPEG4", b"V_ZZZZZ") + data[entry + len(name) :]
    )

    assert (await ward.probe(source)).code == "media.unsupported_codec"


async def test_a_few_broken_packets_are_lived_with(ward: Ward, tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "whole.mp4", Clip(frames=200, gop=10)).read_bytes())
    middle = (data.index(b"mdat") + data.index(b"moov")) // 2
    data[middle : middle + 300] = b"\xa5" * 300
    source = tmp_path / "clip.mp4"
    source.write_bytes(data)

    facts = (await ward.probe((await ward.edit(source)).file)).probe

    assert facts.video.frames is not None
    assert facts.video.frames >= 180


async def test_a_result_that_outgrows_its_limit_ends_there(ward: Ward, tmp_path: Path) -> None:
    """A few still frames become a large file where the quality asked for is high."""
    source = make(tmp_path / "clip.mkv", Clip(frames=30, codec="libx264", options=(("crf", "51"),)))
    room = source.stat().st_size
    edit = Edit(output=Output(preset="ultrafast", quality=1), width=1280, height=768, duration=1.2)

    end = await ward.edit(source, edit, Limits(max_bytes=room))

    assert (end.code, end.permanent) == ("worker.output_too_large", True)
