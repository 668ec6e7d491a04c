"""Files that lie, files that are none: a stable code, quickly, and nobody is called."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from moviola.errors import TaskFailure
from moviola.messages import Limits
from tests.media.clips import Clip, Tone, make, numbered
from tests.unit.moviola_workers.conftest import Bench

TEXTS = {
    "text": "Just some words.\n" * 50,
    "html": "<!doctype html><html><body><video src='x.mp4'></video></body></html>",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.mp4\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>',
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nñ\n",
}
BYTES = {
    "zeros": bytes(100_000),
    "noise": bytes((n * n * 31 + n // 7) % 251 for n in range(50_000)),
    "zip": b"PK\x03\x04" + bytes(range(256)) * 20,
    "pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "program": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
    "playlist behind a mark": b"\xef\xbb\xbf#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n",
}


@contextmanager
def _canary() -> Iterator[tuple[int, list[object]]]:
    """A port of ours, and whoever knocked at it."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                connection.close()
                callers.append(address)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname()[1], callers
        finally:
            over.set()
            thread.join()


def _code(bench: Bench, source: Path) -> str:
    with pytest.raises(TaskFailure) as caught:
        bench.probe(source)
    assert caught.value.permanent
    assert str(caught.value).endswith(".")
    return caught.value.code


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "sdp"])
def test_text_of_any_kind_is_unrecognized_and_calls_nobody(
    bench: Bench, tmp_path: Path, kind: str, suffix: str
) -> None:
    with _canary() as (port, callers):
        source = tmp_path / f"clip.{suffix}"
        source.write_text(TEXTS[kind].replace("{port}", str(port)))

        assert _code(bench, source) == "media.unrecognized"

    assert callers == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", BYTES)
def test_bytes_that_are_no_video_are_unrecognized(bench: Bench, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(BYTES[kind])

    assert _code(bench, source) == "media.unrecognized"


def test_a_playlist_behind_binary_bytes_calls_nobody(bench: Bench, tmp_path: Path) -> None:
    """The sniffing may be fooled; the whitelist of demuxers is not."""
    with _canary() as (port, callers):
        source = tmp_path / "clip.mp4"
        source.write_bytes(b"#EXTM3U\n#\x01\x02\n#EXTINF:5,\nhttp://127.0.0.1:%d/a.ts\n" % port)

        assert _code(bench, source) == "media.unrecognized"

    assert callers == []


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO"])
def test_a_still_picture_is_no_video(bench: Bench, tmp_path: Path, form: str) -> None:
    source = tmp_path / "clip.mp4"
    Image.new("RGB", (64, 64), "red").save(source, format=form)

    assert _code(bench, source) == "media.not_video"


def test_a_sound_file_has_no_video_stream(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "clip.m4a"
    _sound_only(source)

    assert _code(bench, source) == "media.no_video_stream"


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        for number in range(10):
            frame = av.AudioFrame("fltp", "stereo", 1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 48000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("share", [0.5, 0.75, 0.97])
@pytest.mark.parametrize(("suffix", "flags"), [("mp4", "+faststart"), ("mp4", ""), ("mkv", ""), ("avi", "")])
def test_a_file_that_is_cut_off_is_truncated(
    bench: Bench, tmp_path: Path, suffix: str, flags: str, share: float
) -> None:
    whole = make(tmp_path / f"whole.{suffix}", Clip(frames=100, tone=Tone(codec="libmp3lame")))
    if flags:
        whole = bench.edit(whole)
    source = tmp_path / "clip.mp4"
    data = whole.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])

    assert _code(bench, source) == "media.truncated"


@pytest.mark.timeout(20)
def test_garbage_instead_of_pictures_is_corrupt(bench: Bench, tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "whole.mp4", Clip(frames=100)).read_bytes())
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[begin:end] = bytes((n * 7919) % 253 for n in range(end - begin))
    source = tmp_path / "clip.mp4"
    source.write_bytes(data)

    assert _code(bench, source) == "media.corrupt"
    with pytest.raises(TaskFailure) as caught:
        bench.edit(source)
    assert caught.value.code == "media.corrupt"


def test_an_encrypted_video_is_told_as_such(bench: Bench, tmp_path: Path) -> None:
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

    assert _code(bench, source) == "media.encrypted"


def test_an_unknown_codec_is_told_as_such(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=5))
    data = source.read_bytes()
    entry = data.index(b"avc1", data.index(b"stsd"))
    source.write_bytes(data[:entry] + b"zzzz" + data[entry + 4 :])

    assert _code(bench, source) == "media.unsupported_codec"


def test_a_header_that_lies_about_the_size_does_not_get_round_the_limit(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=5, width=320, height=192))
    data = bytearray(source.read_bytes())
    entry = data.index(b"avc1", data.index(b"stsd"))
    data[entry + 28 : entry + 32] = bytes((0, 16, 0, 16))
    source.write_bytes(data)

    with pytest.raises(TaskFailure) as caught:
        bench.probe(source, Limits(max_pixels=5000))

    assert caught.value.code == "media.too_large"
    assert bench.probe(source).video.width == 320


def test_frames_spread_over_years_are_too_long(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(times=[0, 40, 400 * 86_400_000]))

    assert _code(bench, source) == "media.too_long"
    with pytest.raises(TaskFailure) as caught:
        bench.edit(source)
    assert caught.value.code == "media.too_long"


def test_a_few_broken_packets_are_lived_with(bench: Bench, tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "whole.mp4", Clip(frames=200, gop=10)).read_bytes())
    middle = (data.index(b"mdat") + data.index(b"moov")) // 2
    data[middle : middle + 300] = b"\xa5" * 300
    source = tmp_path / "clip.mp4"
    source.write_bytes(data)

    facts = bench.probe(bench.edit(source))

    assert facts.video.frames is not None
    assert facts.video.frames >= 180


def test_an_absurd_size_is_corrupt(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(
        b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom" + b"\x00\x00\x00\x01mdat" + b"\x7f" * 8 + b"x" * 5000
    )

    assert _code(bench, source) == "media.corrupt"


def test_nested_boxes_are_answered_quickly(bench: Bench, tmp_path: Path) -> None:
    boxes = b""
    for _ in range(2000):
        boxes = (len(boxes) + 8).to_bytes(4) + b"moov" + boxes
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom" + boxes)

    assert _code(bench, source) in {"media.corrupt", "media.no_video_stream"}
