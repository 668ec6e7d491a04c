"""The animated preview: a WebP that loops for ever, of the right scenes at the right speed."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from moviola.plan import Preview, Span
from moviola_workers.engine import preview as engine
from moviola_workers.job import Job
from tests.media.clips import Clip, make
from tests.media.storyboards import number_of
from tests.unit.moviola_workers.conftest import Bench


def animated(bench: Bench, source: Path, *scenes: tuple[float, float], rate: float = 10.0) -> Path:
    wish = Preview(
        scenes=tuple(Span(start=start, end=end) for start, end in scenes), frames_per_second=rate, width=80, height=48
    )
    job = Job(kind="thumbnails", parameters=wish, source=source, scratch=bench.directory, encoder_threads=2)
    (made,) = bench.run(job).made
    assert (made.name, made.content_type) == ("preview.webp", "image/webp")
    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] == 1
    return made.path


def numbers(path: Path) -> list[int]:
    with Image.open(path) as image:
        found = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            found.append(number_of(image))
        return found


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a WebP file (RFC 9649, section 2.3)."""
    assert (data[:4], data[8:12]) == (b"RIFF", b"WEBP")
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    position = 12
    while position < len(data):
        name, (size,) = data[position : position + 4], struct.unpack("<I", data[position + 4 : position + 8])
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def test_the_scenes_are_shown_at_the_speed_that_was_asked_for(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=100, gop=30, b_frames=3))

    path = animated(bench, source, (0.4, 1.0), (2.0, 2.6))

    # A frame each tenth of a second: every second or third of 25.
    assert numbers(path) == [10, 12, 15, 17, 20, 22, 50, 52, 55, 57, 60, 62]
    found = list(chunks(path.read_bytes()))
    (loops,) = [struct.unpack("<H", data[4:6])[0] for name, data in found if name == b"ANIM"]
    durations = [int.from_bytes(data[12:15], "little") for name, data in found if name == b"ANMF"]
    assert loops == 0
    assert durations == [100] * 12
    with Image.open(path) as image:
        assert (image.format, image.size, image.info["loop"]) == ("WEBP", (80, 48), 0)


def test_durations_that_are_no_whole_milliseconds_add_up(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))

    path = animated(bench, source, (0.0, 2.0), rate=12.0)

    durations = [int.from_bytes(data[12:15], "little") for name, data in chunks(path.read_bytes()) if name == b"ANMF"]
    assert sum(durations) == 2000


def test_a_video_of_one_frame_becomes_a_still(bench: Bench, tmp_path: Path) -> None:
    assert numbers(animated(bench, make(tmp_path / "clip.mp4", Clip(frames=1)), (0.0, 0.04))) == [0]


def test_where_exact_frames_cost_too_much_a_scene_begins_at_its_key_frame(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=100, gop=30, b_frames=2))
    monkeypatch.setattr(engine.Display, "affordable", lambda self: False)

    assert numbers(animated(bench, source, (0.4, 0.8), (2.0, 2.4), rate=5.0)) == [0, 5, 30, 35]


def test_a_preview_that_would_be_too_large_is_compressed_more_then_made_smaller(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))
    usual = animated(bench, source, (0.0, 2.0)).stat().st_size
    monkeypatch.setattr(engine, "MAX_BYTES", usual - 1)
    assert animated(bench, source, (0.0, 2.0)).stat().st_size < usual
    monkeypatch.setattr(engine, "MAX_BYTES", 10)

    with Image.open(animated(bench, source, (0.0, 2.0))) as image:
        assert image.size == (40, 24)
