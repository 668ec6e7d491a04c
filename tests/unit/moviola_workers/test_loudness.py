"""Sound that is measured, brought to a loudness and mixed down; heard by a meter that is not ours."""

import re
import shutil
import subprocess
from array import array
from pathlib import Path

import av
import pytest

from moviola.probe import Loudness
from moviola_workers.engine.levelling import CEILING, MOST_LIMITED, Level, corrected, level_for
from tests.media.clips import Clip, Tone, make, packets
from tests.unit.moviola_workers.plan_walk import Walk

NORMALIZE = {"step": "normalize"}
TONE = "0.{}*(sin(2*PI*440*t)+0.3*sin(2*PI*1300*t))"
BANGS = "0.05*sin(2*PI*440*t)+0.8*sin(2*PI*900*t)*exp(-40*mod(t,1))"

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="FFmpeg's own programs are not installed")


def clip(path: Path, sound: str, *, seconds: int = 6, codec: str = "aac", gop: int = 250) -> Path:
    """A small picture with the sound of an FFmpeg expression; channels are separated by bars."""
    picture = f"testsrc2=size=64x64:rate=25:duration={seconds}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"aevalsrc='{sound}':d={seconds}:s=48000"]
    form = ["-c:v", "libx264", "-preset", "ultrafast", "-g", str(gop), "-pix_fmt", "yuv420p"]
    form += ["-c:a", codec, "-b:a", "192k", str(path)]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *form], check=True)
    return path


def heard(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak by Debian's FFmpeg, not by the one that made the file."""
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-vn"]
    command += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    summary = said[said.rindex("Summary:") :]
    integrated, peak = (re.search(pattern, summary) for pattern in (r"I:\s+(\S+) LUFS", r"Peak:\s+(\S+) dBFS"))
    assert integrated is not None
    assert peak is not None
    return float(integrated[1]), float(peak[1])


@pytest.mark.parametrize("sound", [TONE.format("02"), TONE.format("7"), BANGS], ids=["quiet", "loud", "bangs"])
@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_the_result_is_as_loud_as_was_asked_for(tmp_path: Path, sound: str, container: str) -> None:
    source = clip(tmp_path / "clip.mp4", f"{sound}|{sound}")

    walk = Walk(source, tmp_path, NORMALIZE, container=container)

    loudness, peak = heard(walk.result)
    assert loudness == pytest.approx(-16, abs=0.5)
    assert peak <= -0.7
    found = walk.results["measure"].loudness
    assert found is not None
    assert (found.integrated, found.true_peak) == pytest.approx(heard(source), abs=0.2)
    if container == "mp4":
        assert [data for *_, data in packets(walk.result, "video")] == [data for *_, data in packets(source, "video")]


def test_only_the_part_that_is_kept_is_measured(tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", "if(lt(t,3),0.5,0.02)*sin(2*PI*440*t)")

    walk = Walk(source, tmp_path, {"step": "trim", "start": 3.2}, {"step": "normalize", "target": -20})

    assert heard(walk.result)[0] == pytest.approx(-20, abs=0.5)
    assert walk.progress["measure"] == sorted(walk.progress["measure"])
    assert walk.progress["measure"][-1] == 1.0


def test_a_smart_cut_has_its_sound_normalized_and_its_pictures_copied(tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", "if(lt(t,3),0.5,0.02)*sin(2*PI*440*t)", gop=25)

    walk = Walk(source, tmp_path, {"step": "trim", "start": 3.2}, {"step": "normalize", "target": -20})

    assert heard(walk.result)[0] == pytest.approx(-20, abs=0.5)
    pictures = {data for *_, data in packets(source, "video")}
    assert sum(data in pictures for *_, data in packets(walk.result, "video")) == 50


@pytest.mark.parametrize(("channels", "layout"), [(2, "stereo"), (1, "mono")])
def test_a_loud_film_is_mixed_down_without_clipping(tmp_path: Path, channels: int, layout: str) -> None:
    full = "|".join(["0.95*sin(2*PI*440*t)"] * 6)
    source = clip(tmp_path / "clip.mkv", f"{full}:c=5.1", codec="flac", seconds=2)

    walk = Walk(source, tmp_path, {"step": "downmix", "channels": channels})

    with av.open(str(walk.result)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        assert stream.codec_context.layout.name == layout
        samples = [value for frame in frames[2:] for value in array("f", bytes(frame.planes[0])[: frame.samples * 4])]
    assert 0.8 < max(samples) < 1.0
    assert walk.plan.generations == 0


def test_downmixed_and_normalized_the_result_has_the_loudness(tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mkv", "|".join([TONE.format("05")] * 6) + ":c=5.1", codec="flac")

    walk = Walk(source, tmp_path, NORMALIZE, {"step": "downmix"})

    assert heard(walk.result)[0] == pytest.approx(-16, abs=0.5)


def test_silence_stays_silence(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=25, tone=Tone()))

    walk = Walk(source, tmp_path, NORMALIZE)

    found = walk.results["measure"].loudness
    assert found is not None
    assert (found.integrated, found.true_peak) == (None, None)
    assert heard(walk.result)[0] <= -70


def test_one_gain_reaches_the_target_where_peaks_leave_room() -> None:
    assert level_for(Loudness(integrated=-30, true_peak=-20), -16) == Level(gain=14, limited=False)


def test_the_limiter_is_taken_where_they_do_not() -> None:
    assert level_for(Loudness(integrated=-30, true_peak=-10), -16) == Level(gain=14, limited=True)


def test_the_gain_is_held_back_where_too_much_would_be_limited() -> None:
    assert level_for(Loudness(integrated=-50, true_peak=-1), -16) == Level(
        gain=CEILING + MOST_LIMITED + 1, limited=True
    )


def test_what_the_limiter_took_is_given_back_up_to_that_bound() -> None:
    level = Level(gain=6, limited=True)
    assert corrected(level, Loudness(integrated=-18), -6, -16) == Level(gain=8, limited=True)
    assert corrected(level, Loudness(integrated=-16.05), -6, -16) == level
    assert corrected(level, Loudness(integrated=-40), -6, -16).gain == CEILING + MOST_LIMITED + 6
