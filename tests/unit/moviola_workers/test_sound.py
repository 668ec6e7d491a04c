"""The sound of a result: kept, cut, copied or dropped, and never away from its picture."""

from pathlib import Path

import pytest

from tests.media.clips import Clip, Tone, beeps, make, numbers, packets, times
from tests.unit.moviola_workers.conftest import Bench


@pytest.mark.parametrize(
    ("layout", "expected"),
    [("mono", "mono"), ("stereo", "stereo"), ("5.1", "5.1"), ("quad", "stereo"), ("7.1", "stereo")],
)
def test_mono_stereo_and_surround_are_kept_and_odd_layouts_become_stereo(
    bench: Bench, tmp_path: Path, layout: str, expected: str
) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=25, tone=Tone(codec="flac", layout=layout, beeps=(0.5,))))

    result = bench.edit(source, (0.2, 0.9))

    (sound,) = bench.probe(result).audio
    assert (sound.codec, sound.layout, sound.sample_rate) == ("aac", expected, 48000)
    assert beeps(result) == pytest.approx([0.3], abs=0.004)


@pytest.mark.parametrize(("rate", "expected"), [(44100, 44100), (8000, 8000), (192000, 48000)])
def test_sample_rates_are_kept_where_aac_has_them(bench: Bench, tmp_path: Path, rate: int, expected: int) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=25, tone=Tone(codec="flac", rate=rate, beeps=(0.5,))))

    result = bench.edit(source, (0.2, 0.9))

    assert bench.probe(result).audio[0].sample_rate == expected
    assert beeps(result) == pytest.approx([0.3], abs=0.005)


def test_aac_is_copied_where_nothing_is_cut(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(tone=Tone(beeps=(1.0,))))

    result = bench.edit(source)

    assert packets(result, "audio") == packets(source, "audio")
    assert beeps(result) == beeps(source)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "flv"])
def test_aac_of_other_containers_is_copied_in_step(bench: Bench, tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"clip.{suffix}", Clip(tone=Tone(beeps=(1.0,))))

    result = bench.edit(source)

    assert [data for *_, data in packets(result, "audio")]
    assert beeps(result) == pytest.approx([1.0], abs=0.025)


@pytest.mark.parametrize("spans", [(), ((0.0, 1.9),)])
@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_sound_that_starts_late_stays_late(
    bench: Bench, tmp_path: Path, codec: str, spans: tuple[tuple[float, float], ...]
) -> None:
    source = make(tmp_path / "clip.mkv", Clip(tone=Tone(codec=codec, beeps=(1.0,), start=0.5, seconds=1.5)))

    result = bench.edit(source, *spans)

    assert beeps(result) == pytest.approx([1.0], abs=0.025)


def test_sound_well_before_the_first_picture_is_kept(bench: Bench, tmp_path: Path) -> None:
    stamps = range(1000, 3000, 40)
    source = make(tmp_path / "clip.mkv", Clip(times=stamps, tone=Tone(beeps=(0.5, 1.5), seconds=3.0)))

    result = bench.edit(source)

    assert bench.probe(source).duration == pytest.approx(3.0)
    assert (times(result)[0], numbers(result)[0]) == (1, 0)
    assert beeps(result) == pytest.approx([0.5, 1.5], abs=0.025)


def test_a_part_in_which_the_sound_is_over_has_none(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(tone=Tone(codec="flac", seconds=0.5)))

    result = bench.edit(source, (1.0, 2.0))

    assert bench.probe(result).audio == ()
    assert len(numbers(result)) == 25


def test_sound_longer_than_the_part_is_cut_with_the_picture(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(tone=Tone(seconds=4.0, beeps=(3.0,))))

    result = bench.edit(source, (0.0, 2.0))

    duration = bench.probe(result).audio[0].duration
    assert duration == pytest.approx(2.0, abs=0.025)
    assert beeps(result) == []


def test_a_video_without_sound_stays_without(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4")

    assert bench.probe(bench.edit(source, (0.2, 0.9))).audio == ()


def test_muting_drops_the_sound(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(tone=Tone()))

    assert bench.probe(bench.edit(source, mute=True)).audio == ()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_muting_alone_copies_the_pictures_packets(bench: Bench, tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"clip.{suffix}", Clip(tone=Tone(), b_frames=3, rotation=90 if suffix == "mp4" else 0))

    result = bench.edit(source, mute=True, copy_packets=True)

    facts = bench.probe(result)
    assert facts.audio == ()
    assert [data for *_, data in packets(result, "video")] == [data for *_, data in packets(source, "video")]
    assert facts.video.rotation == bench.probe(source).video.rotation
    assert facts.duration == pytest.approx(2.0, abs=0.002)
    if suffix == "mp4":
        assert packets(result, "video") == packets(source, "video")
    assert bench.progress[-1] == 1.0


def test_muting_a_transport_stream_makes_a_playable_mp4(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.ts", Clip(tone=Tone()))

    facts = bench.probe(bench.edit(source, mute=True, copy_packets=True))

    assert (facts.audio, facts.video.frames, facts.video.start_time) == ((), 50, 0.0)


def test_packets_without_times_are_decoded_instead(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.avi", Clip(tone=Tone(codec="libmp3lame")))

    facts = bench.probe(bench.edit(source, mute=True, copy_packets=True))

    assert (facts.audio, facts.video.frames) == ((), 50)
