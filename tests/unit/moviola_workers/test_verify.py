"""The quality gate: a good result passes, and each way in which it may be bad is found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import av
import pytest
from PIL import Image

from moviola.quality import Check, Quality, Verify
from moviola_workers.job import Job
from moviola_workers.steps.table import STEPS
from tests.media.clips import Clip, Tone, make
from tests.unit.moviola_workers.plan_walk import Walk

STEPS_WANTED = ({"step": "resize", "height": 48}, {"step": "thumbnails", "at": 1})
BEEPS = Tone(beeps=(0.2, 0.6, 1.0, 1.4, 1.8))


@dataclass(frozen=True)
class Finished:
    """A result that passed, and what it was expected to be."""

    walk: Walk
    parameters: Verify
    directory: Path

    def looked_at(self, result: Path, *, poster: Path | None = None, **changes: object) -> Quality:
        """The report on *result* in the place of the good one."""
        job = Job(
            kind="verify",
            parameters=self.parameters.model_copy(update=changes),
            source=result,
            resources={"thumbnails": poster or self.walk.results["thumbnails"].made[0].path},
            scratch=self.directory,
        )
        progress: list[float] = []
        quality = STEPS["verify"](job, progress.append).quality
        assert quality is not None
        assert progress == sorted(progress)
        assert progress[-1] == 1.0
        return quality


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    directory = tmp_path_factory.mktemp("good")
    source = make(directory / "clip.mp4", Clip(tone=BEEPS))
    walk = Walk(source, directory, *STEPS_WANTED)
    parameters = walk.plan.passes[-1].parameters
    assert isinstance(parameters, Verify)
    return Finished(walk, parameters, directory)


Change = Callable[[Any, int], Any]


def remuxed(good: Finished, path: Path, change: Change, **options: str) -> Path:
    """The good result with its packets as *change* lets them be, by their number in their stream; None drops one."""
    options = options or {"movflags": "+faststart"}
    with av.open(str(good.walk.result)) as source, av.open(str(path), "w", container_options=options) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        counts = dict.fromkeys(streams, 0)
        for packet in source.demux():
            if not packet.size:
                continue
            number = counts[packet.stream.index]
            counts[packet.stream.index] += 1
            changed = change(packet, number)
            if changed is not None:
                changed.stream = streams[packet.stream.index]
                target.mux_one(changed)
    return path


def failed(quality: Quality) -> list[str]:
    return [check.name for check in quality.failed]


def named(quality: Quality, name: str) -> Check:
    return next(check for check in quality.checks if check.name == name)


def is_picture(packet: Any) -> bool:
    return bool(packet.stream.type == "video")


@pytest.mark.parametrize("every_frame", [False, True])
def test_what_was_made_as_planned_passes(good: Finished, every_frame: bool) -> None:
    quality = good.looked_at(good.walk.result, every_frame=every_frame)

    assert (quality.failed, quality.warnings, quality.ok) == ([], [], True)
    assert (quality.every_frame, good.walk.quality.ok) == (every_frame, True)
    assert named(quality, "frame_count").found == "50"
    assert {check.file for check in quality.checks} == {"result.mp4", "poster.jpg"}


def test_a_file_that_was_cut_off_is_found(good: Finished, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(good.walk.result.read_bytes()[:-500])

    assert failed(good.looked_at(cut)) == ["readable"]


def test_sound_that_is_shifted_is_found(good: Finished, tmp_path: Path) -> None:
    def shift(packet: Any, number: int) -> Any:
        if not is_picture(packet):
            packet.pts, packet.dts = packet.pts + 14_400, packet.dts + 14_400
        return packet

    assert "audio_start" in failed(good.looked_at(remuxed(good, tmp_path / "shifted.mp4", shift)))


def test_sound_that_drifts_away_is_found(good: Finished, tmp_path: Path) -> None:
    def stretch(packet: Any, number: int) -> Any:
        if not is_picture(packet):
            packet.pts, packet.dts = packet.pts * 3 // 2, packet.dts * 3 // 2
        return packet

    assert "audio_end" in failed(good.looked_at(remuxed(good, tmp_path / "drifting.mp4", stretch)))


def test_pictures_shown_at_the_same_time_are_found(good: Finished, tmp_path: Path) -> None:
    def double(packet: Any, number: int) -> Any:
        if is_picture(packet) and number == 20:
            packet.pts += round(1 / (25 * packet.time_base))
        return packet

    quality = good.looked_at(remuxed(good, tmp_path / "doubled.mp4", double))

    assert failed(quality) == ["video_times"]
    assert "shown at the same time as another" in quality.complaint()


def test_many_pictures_lost_fail_and_a_few_are_a_warning(good: Finished, tmp_path: Path) -> None:
    def without(numbers: range) -> Change:
        return lambda packet, number: None if is_picture(packet) and number in numbers else packet

    many = good.looked_at(remuxed(good, tmp_path / "many.mp4", without(range(10, 40))))
    few = good.looked_at(remuxed(good, tmp_path / "few.mp4", without(range(10, 12))))

    assert set(failed(many)) == {"frame_count", "video_gaps"}
    assert (failed(few), [check.name for check in few.warnings]) == ([], ["video_gaps", "frame_count"])
    assert named(few, "frame_count").found == "48"


def test_absent_sound_is_found(good: Finished, tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with av.open(str(good.walk.result)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux_one(packet)

    quality = good.looked_at(path)

    assert failed(quality) == ["streams"]
    assert quality.complaint() == (
        "The result did not pass its checks: "
        "result.mp4: streams is 1 picture, 0 sound, 0 others instead of 1 picture, 1 sound, 0 others."
    )


def test_sound_where_none_should_be_is_found(good: Finished) -> None:
    (video,) = good.parameters.videos
    assert failed(good.looked_at(good.walk.result, videos=(video.model_copy(update={"sound": None}),))) == ["streams"]


def test_an_index_behind_the_contents_is_found(good: Finished, tmp_path: Path) -> None:
    behind = remuxed(good, tmp_path / "behind.mp4", lambda packet, number: packet, brand="isom")
    assert failed(good.looked_at(behind)) == ["fast_start"]


@pytest.mark.parametrize(
    ("clip", "suffix", "found"),
    [
        (Clip(width=80, height=64, tone=BEEPS), "mp4", {"picture_size", "fast_start"}),
        (Clip(width=80, height=48, codec="mpeg4", tone=BEEPS), "mp4", {"video_codec", "fast_start"}),
        (Clip(width=80, height=48, pixels="yuv444p", tone=BEEPS), "mp4", {"pixel_format", "fast_start"}),
        (Clip(width=80, height=48, tone=BEEPS), "mkv", {"container", "fast_start"}),
        (Clip(width=80, height=48, frames=20, tone=BEEPS), "mp4", {"duration", "frame_count", "audio_end"}),
        (Clip(width=80, height=48, tone=Tone(layout="mono")), "mp4", {"audio_channels"}),
        (Clip(width=80, height=48, tone=Tone(codec="libmp3lame")), "mp4", {"audio_codec"}),
        (Clip(width=80, height=48, tone=Tone(rate=32000)), "mp4", {"audio_rate"}),
    ],
)
def test_another_form_than_was_asked_for_is_found(
    good: Finished, tmp_path: Path, clip: Clip, suffix: str, found: set[str]
) -> None:
    (video,) = good.parameters.videos
    assert video.sound is not None
    encoded = video.model_copy(update={"sound": video.sound.model_copy(update={"copied": False})})
    path = make(tmp_path / f"clip.{suffix}", clip)

    assert found <= set(failed(good.looked_at(path, videos=(encoded,))))


def test_silence_is_told_and_fails_nothing(good: Finished, tmp_path: Path) -> None:
    quality = good.looked_at(make(tmp_path / "silent.mp4", Clip(width=80, height=48, tone=Tone())))
    assert [check.name for check in quality.warnings] == ["audio_level"]


def test_a_broken_picture_between_the_samples_is_found_where_every_frame_is_decoded(
    good: Finished, tmp_path: Path
) -> None:
    (video,) = good.parameters.videos
    broken = tmp_path / "broken.mp4"
    copyfile(good.walk.result, broken)
    position, size = _packet_at(broken, 30)
    with broken.open("r+b") as file:
        file.seek(position + 4)
        file.write(b"\xff" * (size - 4))

    assert video.picture.copied is False
    assert failed(good.looked_at(broken, every_frame=True)) == ["video_decodes"]
    # Of a copy it is the source's own fault.
    copied = video.model_copy(update={"picture": video.picture.model_copy(update={"copied": True})})
    quality = good.looked_at(broken, every_frame=True, videos=(copied,))
    assert (failed(quality), [check.name for check in quality.warnings]) == ([], ["video_decodes"])


def _packet_at(path: Path, wanted: int) -> tuple[int, int]:
    with av.open(str(path)) as container:
        packet = next(packet for number, packet in enumerate(container.demux(video=0)) if number == wanted)
        assert packet.pos is not None
        return packet.pos, packet.size


def test_a_poster_that_is_none_or_of_another_size_is_found(good: Finished, tmp_path: Path) -> None:
    small, none = tmp_path / "small.jpg", tmp_path / "none.jpg"
    Image.new("RGB", (40, 24)).save(small)
    none.write_bytes(good.walk.results["thumbnails"].made[0].path.read_bytes()[:200])

    assert named(_only_poster(good, small), "picture_size").found == "40×24"
    assert named(_only_poster(good, none), "picture_size").found.startswith("unreadable")
    assert not _only_poster(good, none).ok


def _only_poster(good: Finished, poster: Path) -> Quality:
    return good.looked_at(good.walk.result, poster=poster, videos=())


def sources(directory: Path) -> Iterator[Path]:
    """Files that are odd in themselves."""
    yield make(directory / "varying.mkv", Clip(times=[0, 40, 80, 200, 210, 340, 900, 1500], tone=Tone()))
    yield make(directory / "turned.mp4", Clip(rotation=90))
    yield make(directory / "late.mkv", Clip(tone=Tone(start=0.7)))
    yield make(directory / "long.mp4", Clip(tone=Tone(seconds=3)))
    yield make(directory / "short.ts", Clip(tone=Tone(seconds=1)))
    yield make(directory / "fast.mkv", Clip(rate=1000, frames=500))
    yield make(directory / "odd.mkv", Clip(width=161, height=97, pixels="yuv444p"))


@pytest.mark.parametrize(
    "steps",
    [
        [{"step": "mute"}],
        [{"step": "resize", "height": 32}],
        [{"step": "trim", "start": 0.3, "end": 0.42}],
    ],
)
def test_odd_sources_fail_nothing(tmp_path: Path, steps: list[dict[str, object]]) -> None:
    for source in sources(tmp_path):
        scratch = tmp_path / source.stem
        scratch.mkdir()
        for output in ({}, {"video_codec": "vp9"}):
            place = scratch / output.get("video_codec", "h264")
            place.mkdir()
            quality = Walk(source, place, *steps, verify="full", **output).quality
            told = [check.name for check in quality.warnings if check.name != "audio_level"]
            assert (failed(quality), told) == ([], []), source.name
