"""Cutting by copying packets: the same pictures at the same times as by encoding all, and the middle untouched.

Every result is decoded by Debian's ffmpeg too, where that is installed, which must have nothing to complain about.
"""

import shutil
import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from moviola.plan import Edit, Plan
from moviola.planner import compile_plan
from moviola.recipe import parse_recipe
from moviola_workers.engine.nal import Bits
from moviola_workers.engine.parameter_sets import parameter_sets_of
from moviola_workers.engine.picture_form import form_of
from moviola_workers.job import Job
from tests.media.clips import Clip, Tone, beeps, make, numbers, packets, shown, times
from tests.unit.moviola_workers.conftest import Bench

MEDIUM = (("preset", "medium"), ("x264-params", "b-adapt=0:scenecut=0:b-pyramid=normal:ref=3"))
LONG = Clip(frames=150, gop=25, b_frames=3, options=MEDIUM)
OPEN = (("x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=25:min-keyint=25:scenecut=0"),)
STAMPS = [n * 40 + (n % 3) * 7 + (n > 40) * 900 for n in range(80)]


@dataclass(frozen=True)
class Cut:
    path: Path
    plan: Plan
    remarks: tuple[str, ...]

    @property
    def copied(self) -> bool:
        one, _ = self.plan.passes  # the edit, and the look at its result
        assert isinstance(one.parameters, Edit)
        return one.parameters.smart_cut and not self.remarks


def cut(bench: Bench, source: Path, *spans: tuple[float, float], mute: bool = False, smart: bool | None = None) -> Cut:
    """Plan and make the trim; ``smart`` overrides what the plan says of copying."""
    steps: list[object] = [{"step": "trim", "keep": [{"start": start, "end": end} for start, end in spans]}]
    steps += [{"step": "mute"}] if mute else []
    recipe = parse_recipe({"steps": steps, "output": {"preset": "ultrafast", "quality": 12}})
    plan = compile_plan(recipe, bench.probe(source))
    one, _ = plan.passes
    assert isinstance(one.parameters, Edit)
    edit = one.parameters if smart is None else one.parameters.model_copy(update={"smart_cut": smart})
    result = bench.run(Job(kind=one.kind, parameters=edit, source=source, scratch=bench.directory))
    path = result.made[0].path
    _refuse_complaints(path)
    return Cut(path, plan, result.remarks)


def _refuse_complaints(path: Path) -> None:
    if (ffmpeg := shutil.which("ffmpeg")) is not None:
        command = [ffmpeg, "-v", "error", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(command, check=True, capture_output=True).stderr == b""


def kept(frames: int, *spans: tuple[float, float]) -> list[int]:
    return [n for start, end in spans for n in range(frames) if start - 1e-6 <= n / 25 < end - 1e-6]


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize(("start", "end"), [(0.41, 4.37), (0.0, 3.3), (1.04, 6.0), (1.96, 3.04), (0.97, 5.001)])
def test_first_and_last_picture_are_those_asked_for(
    bench: Bench, tmp_path: Path, start: float, end: float, b_frames: int
) -> None:
    source = make(tmp_path / "clip.mp4", replace(LONG, b_frames=b_frames))

    result = cut(bench, source, (start, end))

    expected = kept(150, (start, end))
    assert result.copied
    assert numbers(result.path) == expected
    assert times(result.path) == [Fraction(n, 25) for n in range(len(expected))]
    assert bench.probe(result.path).duration == pytest.approx(len(expected) / 25)


def test_the_middle_is_copied_byte_for_byte_and_looks_the_same(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", LONG)

    result = cut(bench, source, (0.41, 4.37))

    before = {frame.number: frame.luma for frame in shown(source)}
    after = {frame.number: frame.luma for frame in shown(result.path)}
    middle = range(25, 105)
    assert [after[number] for number in middle] == [before[number] for number in middle]
    originals = {data for _, _, data in packets(source, "video")}
    assert sum(data in originals for _, _, data in packets(result.path, "video")) >= len(middle)
    assert result.plan.partial
    assert result.plan.generations == 1
    assert result.plan.passes[0].encoded_seconds == pytest.approx(0.59 + 0.16)


def test_a_trim_from_key_frame_to_key_frame_encodes_nothing(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", LONG)

    result = cut(bench, source, (1.0, 3.0))

    assert (result.plan.generations, result.plan.partial) == (0, False)
    assert not result.plan.passes[0].lossy
    originals = [data for _, _, data in packets(source, "video")]
    assert [data for _, _, data in packets(result.path, "video")] == originals[25:75]


def test_several_parts_are_joined_without_a_seam(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", replace(LONG, tone=Tone(beeps=(0.48, 2.04, 5.2))))
    spans = ((0.4, 1.52), (1.96, 3.2), (4.0, 5.41))

    result = cut(bench, source, *spans)

    assert result.copied
    assert numbers(result.path) == kept(150, *spans)
    assert {after - before for before, after in pairwise(times(result.path))} == {Fraction(1, 25)}
    assert beeps(result.path) == pytest.approx([0.08, 1.2, 3.56], abs=0.004)
    decoded = [dts for _, dts, _ in packets(result.path, "video")]
    assert all(later > before for before, later in pairwise(dts for dts in decoded if dts is not None))


def test_parts_that_hold_no_key_frame_are_encoded_among_parts_that_are_copied(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", LONG)
    spans = ((0.2, 0.6), (1.0, 2.4), (2.44, 2.52))

    result = cut(bench, source, *spans)

    assert result.copied
    assert numbers(result.path) == kept(150, *spans)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 2.9), (1.2, 2.0), (0.0, 4.0), (1.7, 2.3)])
def test_a_varying_rate_keeps_its_times(bench: Bench, tmp_path: Path, suffix: str, start: float, end: float) -> None:
    """At 1.7 s nothing new is shown for almost a second: the picture on display is held, as when all is encoded."""
    source = make(tmp_path / f"clip.{suffix}", Clip(times=STAMPS, gop=10, b_frames=2, options=MEDIUM))

    copied = cut(bench, source, (start, end), smart=True)
    made = [(float(frame.time), frame.number) for frame in shown(copied.path)]
    encoded = cut(bench, source, (start, end), smart=False)

    wanted = [(float(frame.time), frame.number) for frame in shown(encoded.path)]
    assert copied.copied == (end != 2.3)
    assert [number for _, number in made] == [number for _, number in wanted]
    assert [time for time, _ in made] == pytest.approx([time for time, _ in wanted], abs=0.001)


@pytest.mark.parametrize("end", [1.2, 1.41, 2.9, 3.33])
def test_a_varying_rate_ends_where_its_last_picture_does(bench: Bench, tmp_path: Path, end: float) -> None:
    source = make(tmp_path / "clip.mkv", Clip(times=STAMPS, gop=10, b_frames=3, options=MEDIUM))
    first = next(stamp for stamp in STAMPS if stamp >= 500)
    following = next(stamp for stamp in STAMPS if stamp >= end * 1000)

    result = cut(bench, source, (0.5, end))

    assert result.copied
    assert bench.probe(result.path).duration == pytest.approx((following - first) / 1000, abs=0.001)


@pytest.mark.parametrize("suffix", ["mkv", "mov", "ts", "flv"])
def test_other_containers_are_cut_as_well(bench: Bench, tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"clip.{suffix}", replace(LONG, tone=Tone(beeps=(2.04,))))
    late = beeps(source)[0] - float(times(source)[0])

    result = cut(bench, source, (0.41, 4.37))

    assert result.copied
    assert numbers(result.path) == kept(150, (0.41, 4.37))
    assert beeps(result.path) == pytest.approx([late - 0.44], abs=0.025)


@pytest.mark.parametrize(("start", "end"), [(0.0, 2.5), (0.1, 2.3), (1.3, 3.5)])
def test_an_edit_list_that_begins_inside_a_group_is_heeded(
    bench: Bench, tmp_path: Path, start: float, end: float
) -> None:
    """Copied from 0.7 s on by ffmpeg: the group's first pictures are in the file, and are not to be shown."""
    source = tmp_path / "edited.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "0.72", "-i", str(make(tmp_path / "a.mp4", LONG))]
    subprocess.run([*command, "-c", "copy", str(source)], check=True)
    before = numbers(source)

    result = cut(bench, source, (start, end))

    assert before[0] == 18
    assert result.copied
    assert numbers(result.path) == [before[place] for place in kept(130, (start, end))]


def test_of_a_large_file_the_worker_finds_out_what_the_probe_did_not_read(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moviola_workers.engine.packets.WHOLE_BYTES", 0)
    monkeypatch.setattr("moviola_workers.engine.packets.HEAD_PACKETS", 60)
    source = make(tmp_path / "clip.mp4", LONG)

    result = cut(bench, source, (0.41, 4.37))

    assert result.copied
    assert result.plan.passes[0].encoded_seconds == pytest.approx(1.16)
    assert numbers(result.path) == kept(150, (0.41, 4.37))


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_both_encoders_parameter_sets_are_in_the_header_and_differ(bench: Bench, tmp_path: Path, profile: str) -> None:
    options = (*MEDIUM, ("profile", profile), ("level", "3.1"))
    source = make(tmp_path / "clip.mp4", replace(LONG, frames=75, options=options))

    result = cut(bench, source, (0.4, 2.4))

    with av.open(str(result.path)) as container:
        header = container.streams.video[0].codec_context.extradata
    sets = parameter_sets_of(header)
    first, second = (form_of(unit) for unit in sets.sequences)
    assert result.copied
    assert first.id != second.id
    assert len({Bits(unit).unsigned() for unit in sets.pictures}) == 2
    assert (first.profile, first.level, first.buffered) == (second.profile, second.level, second.buffered)


def test_rotation_and_full_range_stay_what_they_are(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", replace(LONG, frames=75, rotation=90, pixels="yuvj420p"))

    result = cut(bench, source, (0.4, 2.4), mute=True)

    facts = bench.probe(result.path).video
    assert result.copied
    assert (facts.rotation, facts.color_range, facts.width, facts.height) == (90, "pc", 160, 96)
    assert numbers(result.path) == kept(75, (0.4, 2.4))


@pytest.mark.parametrize(
    ("clip", "suffix", "reason"),
    [
        (Clip(frames=75, options=OPEN), "mkv", "open GOPs"),
        (Clip(frames=75, options=(("x264-params", "tff=1"),)), "mp4", "interlaced"),
        (Clip(frames=75, pixels="yuv420p10le"), "mp4", "no common H.264 profile"),
        (Clip(frames=75, pixels="yuv444p"), "mp4", "no common H.264 profile"),
        (Clip(frames=75), "h264", "does not say when"),
        (Clip(frames=75, codec="mpeg4"), "mp4", "the picture is mpeg4"),
        (Clip(frames=75, gop=250), "mp4", "no key frame lies inside"),
        (Clip(frames=75, shape=Fraction(4, 3)), "mp4", "not square"),
    ],
)
def test_where_copying_is_not_safe_all_is_encoded_and_the_plan_says_why(
    bench: Bench, tmp_path: Path, clip: Clip, suffix: str, reason: str
) -> None:
    source = make(tmp_path / f"clip.{suffix}", clip)

    result = cut(bench, source, (0.4, 2.4))

    (warning,) = result.plan.warnings
    assert not result.copied
    assert warning.code == "plan.reencoded"
    assert reason in warning.message
    assert (result.plan.generations, result.plan.partial) == (1, False)
    assert numbers(result.path) == kept(75, (0.4, 2.4))


def test_parameter_sets_that_change_midway_are_noticed(bench: Bench, tmp_path: Path) -> None:
    first = make(tmp_path / "first.ts", Clip(frames=50))
    second = make(tmp_path / "second.ts", Clip(frames=50, options=(*MEDIUM, ("profile", "high"))))
    source = tmp_path / "both.ts"
    source.write_bytes(first.read_bytes() + second.read_bytes())

    facts = bench.probe(source).video.cut

    assert facts is not None
    assert not facts.safe
    assert facts.reason == "the picture's parameter sets change midway"


def test_a_worker_that_finds_the_file_unfit_encodes_it_and_says_so(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=75, options=OPEN))

    result = cut(bench, source, (0.4, 2.4), smart=True)

    (remark,) = result.remarks
    assert "open GOPs" in remark
    assert numbers(result.path) == kept(75, (0.4, 2.4))


def test_a_picture_that_can_not_be_decoded_is_no_reason_for_a_wrong_cut(bench: Bench, tmp_path: Path) -> None:
    """A packet at the cut's border is broken: its picture can't be encoded, so the promise is given up."""
    source = make(tmp_path / "clip.mp4", replace(LONG, b_frames=0))
    with av.open(str(source)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size][15]
        place, size = broken.pos, broken.size
    assert place is not None
    data = bytearray(source.read_bytes())
    data[place + 5 : place + size] = b"\xff" * (size - 5)
    source.write_bytes(data)

    result = cut(bench, source, (0.4, 3.0))

    assert result.remarks == ("The part is encoded anew: not every picture at the cut could be decoded.",)
    assert numbers(result.path)[-50:] == list(range(25, 75))


def test_progress_grows_to_one(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", LONG)

    cut(bench, source, (0.41, 4.37))

    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] == 1.0
    assert len(set(bench.progress)) > 90
