"""Files that name other files and other machines: none is opened, none is called, nothing of them turns up.

The child of these tests has the whole sandbox. That FFmpeg itself is told not to look is seen in a process without one.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from moviola.errors import TaskFailure
from moviola.messages import Limits
from moviola_workers.engine.facts import read_facts
from tests.hostile.boxes import (
    MEDIA,
    Track,
    avc,
    avi,
    avi_stream,
    bitmap_header,
    box,
    chunk,
    full,
    movie,
    numbers,
)
from tests.hostile.canary import Canary, open_canary
from tests.hostile.ward import Ward
from tests.media.clips import Clip, make

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"
TEXTS = {
    "playlist to a server": PLAYLIST.replace("{address}", "http://127.0.0.1:{port}/a.ts"),
    "playlist to a file": PLAYLIST.replace("{address}", "{file}"),
    "playlist to a file by address": PLAYLIST.replace("{address}", "file://{file}"),
    "playlist of playlists": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:{port}/b.m3u8\n",
    "playlist with a key": PLAYLIST.replace(
        "#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{port}/key"\n#EXTINF'
    ).replace("{address}", "{file}"),
    "concat to a server": "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.mp4\n",
    "concat to a file": "ffconcat version 1.0\nfile {file}\n",
    "concat to a neighbour": "ffconcat version 1.0\nfile canary.ts\n",
    "session over UDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    "session by RTSP": "v=0\no=- 0 0 IN IP4 127.0.0.1\na=control:rtsp://127.0.0.1:{port}/x\nm=video 0 RTP/AVP 96\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    "<Representation><BaseURL>http://127.0.0.1:{port}/</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "smooth streaming": '<?xml version="1.0"?><SmoothStreamingMedia><StreamIndex Url="http://127.0.0.1:{port}/"/></SmoothStreamingMedia>',
    "ASX": '<asx version="3.0"><entry><ref href="http://127.0.0.1:{port}/a.wmv"/></entry></asx>',
    "ASF reference": "[Reference]\nRef1=http://127.0.0.1:{port}/a.asf\n",
    "QuickTime text": "RTSPtextrtsp://127.0.0.1:{port}/a.mov\n",
    "RealMedia": "rtsp://127.0.0.1:{port}/a.rm\n",
    "image sequence": "{file}%03d.png\n",
    "filter graph": "movie={file}[out0]\n",
    "address alone": "http://127.0.0.1:{port}/a.mp4",
}


def _written(path: Path, text: str, canary: Canary) -> Path:
    path.write_text(text.replace("{port}", str(canary.port)).replace("{file}", str(canary.file)))
    return path


async def test_texts_that_name_others_are_unrecognized_and_nobody_is_called(ward: Ward, tmp_path: Path) -> None:
    async with open_canary(tmp_path) as canary:
        names = {kind: tmp_path / f"clip-{number}.mp4" for number, kind in enumerate(TEXTS)}
        sources = {kind: _written(path, TEXTS[kind], canary) for kind, path in names.items()}

        ends = await ward.probe_all(sources)

        assert {kind: (end.code, end.permanent) for kind, end in ends.items()} == dict.fromkeys(
            TEXTS, ("media.unrecognized", True)
        )
        assert canary.undisturbed()


@pytest.mark.parametrize("name", ["clip.m3u8", "clip.sdp", "clip.mpd", "clip.ffconcat"])
@pytest.mark.parametrize("mark", [b"", b"\x01\x02\xff", b"\xef\xbb\xbf"], ids=["plain", "binary", "mark"])
async def test_ffmpeg_itself_opens_no_list_whatever_it_is_called(tmp_path: Path, name: str, mark: bytes) -> None:
    """The first look at the bytes may be fooled; the lists of formats and protocols are not. No sandbox helps here."""
    async with open_canary(tmp_path) as canary:
        for number, text in enumerate(TEXTS.values()):
            place = tmp_path / str(number)
            place.mkdir()
            source = _written(place / name, text, canary)
            head, rest = source.read_bytes()[:12], source.read_bytes()[12:]
            source.write_bytes(head + b"\n" + mark + b"\n" + rest)
            with pytest.raises(TaskFailure) as caught:
                read_facts(source, Limits(open_seconds=5))
            assert caught.value.code == "media.unrecognized", text

        assert canary.undisturbed()


def _by_address(canary: Canary) -> bytes:
    return full(b"dref", numbers(1), full(b"url ", b"http://127.0.0.1:%d/a.mov\x00" % canary.port))


def _by_path(canary: Canary) -> bytes:
    return full(b"dref", numbers(1), full(b"url ", b"file://" + str(canary.file).encode() + b"\x00"))


def _by_alias(canary: Canary) -> bytes:
    """As in Apple's Alias Manager: a volume, a name, and the path as an entry of type 2 (and 18)."""
    path = str(canary.file).encode()
    name = canary.file.name.encode()
    fixed = bytes(4) + b"\x00\x96\x00\x02" + b"\x00\x00" + b"\x01/".ljust(28, b"\x00") + bytes(12)
    fixed += bytes([len(name)]) + name.ljust(63, b"\x00") + bytes(16) + b"\x00\x01\x00\x01" + bytes(16)
    entries = b"".join(kind.to_bytes(2) + len(path).to_bytes(2) + path + b"\x00" * (len(path) % 2) for kind in (2, 18))
    return full(b"dref", numbers(1), full(b"alis", fixed + entries + b"\xff\xff\x00\x00"))


@pytest.mark.parametrize("reference", [_by_address, _by_path, _by_alias], ids=["address", "path", "alias"])
async def test_media_that_lie_elsewhere_are_not_fetched(
    ward: Ward, tmp_path: Path, reference: Callable[[Canary], bytes]
) -> None:
    async with open_canary(tmp_path) as canary:
        source = tmp_path / "clip.mov"
        source.write_bytes(movie(Track(avc(64, 64), stco=(1, MEDIA), dref=reference(canary)).trak()))

        end = await ward.probe(source)
        with pytest.raises(TaskFailure):
            read_facts(source, Limits())

        assert (end.code, end.permanent) == ("media.unrecognized", True)
        assert canary.undisturbed()


async def test_a_playlist_hidden_in_the_subtitles_of_an_avi_is_not_followed(ward: Ward, tmp_path: Path) -> None:
    """AVI may hold whole subtitle files (GAB2), which FFmpeg hands to another demuxer: a way in that was used once."""
    async with open_canary(tmp_path) as canary:
        playlist = _written(tmp_path / "list", TEXTS["playlist to a server"], canary).read_bytes()
        text = b"GAB2\x00\x02\x00" + (2).to_bytes(4, "little") + b"a\x00" + b"\x04\x00"
        text += len(playlist).to_bytes(4, "little") + playlist
        picture = make(tmp_path / "one.avi", Clip(frames=3, codec="mjpeg", pixels="yuvj420p")).read_bytes()
        jpeg = picture[picture.index(b"\xff\xd8", picture.index(b"movi")) : picture.rindex(b"\xff\xd9") + 2]
        streams = [
            avi_stream(b"vids", b"MJPG", bitmap_header(b"MJPG", 160, 96)),
            avi_stream(b"txts", b"\x00\x00\x00\x00", b""),
        ]
        source = tmp_path / "clip.avi"
        source.write_bytes(avi(streams, [chunk(b"01tx", text), chunk(b"00dc", jpeg)]))

        end = await ward.probe(source)
        read_facts(source, Limits())

        assert end.code is None, end.message
        assert canary.undisturbed()


async def test_a_movie_that_is_only_a_reference_to_others_is_refused(ward: Ward, tmp_path: Path) -> None:
    async with open_canary(tmp_path) as canary:
        address = b"http://127.0.0.1:%d/a.mov\x00" % canary.port
        data = full(b"rdrf", b"url ", numbers(len(address)), address)
        source = tmp_path / "clip.mov"
        source.write_bytes(box(b"moov", box(b"rmra", box(b"rmda", data))))

        end = await ward.probe(source)

        assert end.code in ("media.corrupt", "media.no_video_stream")
        assert canary.undisturbed()


async def test_the_canary_is_heard_when_somebody_comes(tmp_path: Path) -> None:
    """A trap that never shuts would prove nothing."""
    import asyncio
    import socket

    async with open_canary(tmp_path) as canary:
        assert canary.undisturbed()
        _, writer = await asyncio.open_connection("127.0.0.1", canary.port)
        writer.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"knock", ("127.0.0.1", canary.port))
        async with asyncio.timeout(60):
            while len(canary.callers) < 2:
                await asyncio.sleep(0.01)
        canary.file.read_bytes()
        assert canary.openings() > 0
