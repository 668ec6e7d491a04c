"""The facts of a file, told truthfully."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from moviola.errors import TaskFailure
from moviola.messages import Limits
from tests.media import BIG_BUCK_BUNNY
from tests.media.clips import Clip, Tone, make
from tests.unit.moviola_workers.conftest import Bench


def test_a_real_clip_is_read_as_other_tools_read_it(bench: Bench) -> None:
    facts = bench.probe(BIG_BUCK_BUNNY)

    assert "mp4" in facts.container
    assert facts.size == BIG_BUCK_BUNNY.stat().st_size
    assert facts.duration == pytest.approx(5.28)
    video = facts.video
    assert (video.codec, video.profile, video.width, video.height) == ("h264", "Main", 1280, 720)
    assert (video.frame_rate, video.variable_frame_rate, video.frames) == (25.0, False, 132)
    assert (video.pixel_format, video.bit_depth, video.hdr, video.interlaced) == ("yuv420p", 8, None, False)
    (audio,) = facts.audio
    assert (audio.codec, audio.channels, audio.layout, audio.sample_rate) == ("aac", 6, "5.1", 48000)
    assert facts.warnings == ()
    assert bench.progress == [1.0]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "avi", "flv", "h264"])
def test_every_container_gives_the_same_facts(bench: Bench, tmp_path: Path, suffix: str) -> None:
    tone = None if suffix == "h264" else Tone(codec="libmp3lame" if suffix == "avi" else "aac")
    source = make(tmp_path / f"clip.{suffix}", Clip(frames=100, gop=25, tone=tone))

    facts = bench.probe(source)

    assert facts.duration == pytest.approx(4.0, abs=0.05)
    assert facts.video.frame_rate == pytest.approx(25, rel=0.01)
    assert (facts.video.frames, facts.video.variable_frame_rate) == (100, False)
    assert facts.video.keyframe_interval == pytest.approx(1.0, abs=0.002)
    assert len(facts.audio) == (tone is not None)


def test_a_rate_that_varies_is_noticed(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(times=[0, 40, 80, 200, 210, 340, 380, 420, 900]))

    facts = bench.probe(source)

    assert facts.video.variable_frame_rate
    assert [warning.code for warning in facts.warnings] == ["probe.variable_frame_rate"]


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_times_rounded_to_milliseconds_are_no_varying_rate(bench: Bench, tmp_path: Path, rate: int) -> None:
    source = make(tmp_path / "clip.mkv", Clip(rate=rate, times=[round(n * 1000 / rate) for n in range(60)]))

    facts = bench.probe(source)

    assert not facts.video.variable_frame_rate
    assert facts.video.frame_rate == pytest.approx(rate, rel=0.02)


def test_a_large_file_is_read_at_its_ends_only(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moviola_workers.engine.packets.WHOLE_BYTES", 0)
    monkeypatch.setattr("moviola_workers.engine.packets.HEAD_PACKETS", 30)
    source = make(tmp_path / "clip.mp4", Clip(frames=200, gop=20))

    facts = bench.probe(source)

    assert facts.duration == pytest.approx(8.0)
    assert (facts.video.frames, facts.video.frame_rate) == (200, 25.0)


def test_the_cover_picture_is_not_the_video(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "clip.mkv"
    cover = tmp_path / "cover.png"
    Image.new("RGB", (640, 640)).save(cover)
    with av.open(str(source), "w") as container:
        container.add_attachment("cover.png", "image/png", cover.read_bytes())
        video = container.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p")
        for number in range(3):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))

    assert bench.probe(source).video.width == 64


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_pixels=100), "media.too_large"),
        (Limits(max_side=100), "media.too_large"),
        (Limits(max_seconds=1.0), "media.too_long"),
        (Limits(max_frames=10), "media.too_many_frames"),
        (Limits(max_streams=1), "media.too_many_streams"),
        (Limits(max_bytes=1000), "media.too_large"),
    ],
)
def test_limits_are_told_by_their_codes(bench: Bench, tmp_path: Path, limits: Limits, code: str) -> None:
    source = make(tmp_path / "clip.mp4", Clip(tone=Tone()))

    with pytest.raises(TaskFailure) as caught:
        bench.probe(source, limits)

    assert caught.value.code == code
    assert caught.value.permanent
