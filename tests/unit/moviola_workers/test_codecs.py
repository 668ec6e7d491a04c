"""Codecs by choice: what comes out, as another FFmpeg reads it; and packets copied where they can be."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from moviola.output import Output, VideoCodec
from moviola_workers.engine.encoders import PICTURES, Work
from tests.media.clips import Clip, Tone, beeps, make, numbers, packets, times
from tests.unit.moviola_workers.plan_walk import Walk, ffprobe

FORMS = [
    ("h264", "mp4", "avc1", "aac"),
    ("hevc", "mp4", "hvc1", "aac"),
    ("av1", "mp4", "av01", "aac"),
    ("av1", "webm", None, "opus"),
    ("vp9", "webm", None, "opus"),
]
needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="FFmpeg's own programs are not installed")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tone = Tone(codec="flac", beeps=(1.0, 2.0))
    # No H.264: a trim of that copies what it can, and here every encoder has to work.
    return make(tmp_path_factory.mktemp("codecs") / "clip.mkv", Clip(frames=100, codec="mpeg4", tone=tone))


@needs_ffprobe
@pytest.mark.parametrize(("codec", "container", "tag", "sound"), FORMS)
def test_every_codec_gives_the_frames_at_their_times(
    clip: Path, tmp_path: Path, codec: str, container: str, tag: str | None, sound: str
) -> None:
    walk = Walk(clip, tmp_path, {"step": "trim", "start": 0.4, "end": 3.6}, video_codec=codec, container=container)

    made = walk.results["trim"].made[0]
    assert (made.name, made.content_type) == (f"result.{container}", f"video/{container}")
    form, streams = ffprobe(walk.result)
    assert container in form["format_name"].replace("matroska,webm", "webm")
    picture, audio = streams
    assert (picture["codec_name"], audio["codec_name"]) == (codec, sound)
    assert (picture["width"], picture["height"], picture["pix_fmt"]) == (160, 96, "yuv420p")
    assert tag is None or picture["codec_tag_string"] == tag
    assert (picture["nb_read_packets"], picture["color_range"]) == ("80", "tv")
    assert numbers(walk.result) == list(range(10, 90))
    assert times(walk.result) == [Fraction(number, 25) for number in range(80)]
    assert beeps(walk.result) == pytest.approx([0.6, 1.6], abs=0.025)
    assert walk.progress["trim"] == sorted(walk.progress["trim"])
    assert walk.progress["trim"][-1] == 1.0
    # An encoder looks far ahead: what it holds back at the end is shown packet by packet.
    assert len({done for done in walk.progress["trim"] if done > 0.5}) > 20


@pytest.mark.parametrize(("codec", "container"), [("hevc", "mp4"), ("av1", "mp4"), ("vp9", "webm")])
def test_what_has_the_codec_already_is_copied(tmp_path: Path, codec: str, container: str) -> None:
    encoder = PICTURES[codec].encoder  # type: ignore[index]  # the names are literals
    options = (("x265-params", "log-level=error"),) if codec == "hevc" else ()
    tone = Tone(codec="libopus" if container == "webm" else "aac", beeps=(0.5,))
    source = make(tmp_path / "clip.mkv", Clip(frames=25, codec=encoder, b_frames=0, options=options, tone=tone))

    muted = Walk(source, _folder(tmp_path, "a"), {"step": "mute"}, video_codec=codec)
    untouched = Walk(source, _folder(tmp_path, "b"), {"step": "downmix"}, video_codec=codec)

    pictures = [data for *_, data in packets(source, "video")]
    assert muted.plan.generations == untouched.plan.generations == 0
    assert [data for *_, data in packets(muted.result, "video")] == pictures
    assert [data for *_, data in packets(untouched.result, "video")] == pictures
    sounds = [data for *_, data in packets(untouched.result, "audio")]
    # A packet that only lets the decoder run in may stay behind.
    assert sounds == [data for *_, data in packets(source, "audio")][-len(sounds) :]
    assert beeps(untouched.result) == pytest.approx([0.5], abs=0.025)


@needs_ffprobe
def test_copied_hevc_is_called_what_players_know(tmp_path: Path) -> None:
    options = (("x265-params", "log-level=error"),)
    source = make(tmp_path / "clip.mkv", Clip(frames=10, codec="libx265", options=options))

    walk = Walk(source, tmp_path, {"step": "mute"}, video_codec="hevc")

    assert ffprobe(walk.result)[1][0]["codec_tag_string"] == "hvc1"


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_times_that_vary_stay_where_they_are(tmp_path: Path, codec: str) -> None:
    stamps = [0, 40, 90, 300, 310, 320, 700, 720, 760, 1000]
    source = make(tmp_path / "clip.mkv", Clip(times=stamps))

    walk = Walk(source, tmp_path, {"step": "resize", "height": 48}, video_codec=codec)

    assert [round(time * 1000) for time in times(walk.result)] == stamps
    assert numbers(walk.result) == list(range(10))


@pytest.mark.parametrize(("codec", "side"), [("h264", 2), ("hevc", 16), ("av1", 4), ("vp9", 2)])
def test_the_smallest_pictures_that_are_allowed_can_be_encoded(tmp_path: Path, codec: str, side: int) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3))

    walk = Walk(source, tmp_path, {"step": "resize", "width": side, "height": side}, video_codec=codec)

    assert len(times(walk.result)) == 3


@pytest.mark.parametrize(
    ("codec", "name", "value"), [("hevc", "x265-params", "pools=1"), ("av1", "svtav1-params", "lp=1")]
)
def test_encoders_with_threads_of_their_own_are_told_how_many(codec: VideoCodec, name: str, value: str) -> None:
    container = "webm" if codec == "vp9" else "mp4"
    work = Work(Output(video_codec=codec, container=container), width=1920, height=1080, threads=1)

    assert value in PICTURES[codec].options(work)[name].split(":")


def test_av1_of_the_largest_pictures_goes_easy_on_memory() -> None:
    work = Work(Output(video_codec="av1"), width=7680, height=4320, threads=16)

    assert PICTURES["av1"].options(work)["svtav1-params"] == "lp=1"


def _folder(place: Path, name: str) -> Path:
    folder = place / name
    folder.mkdir()
    return folder
