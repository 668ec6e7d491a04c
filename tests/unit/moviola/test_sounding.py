"""What a plan says of the sound: measured first, encoded once, and the picture's packets left alone."""

import pytest

from moviola.errors import InvalidRecipe
from moviola.plan import Edit, Measure, Plan, SoundWork, Span
from moviola.planner import compile_plan
from moviola.probe import AudioStream, Probe
from moviola.recipe import parse_recipe
from tests.unit.moviola.test_planner import edit_of, facts, kinds

NORMALIZE = {"step": "normalize"}
DOWNMIX = {"step": "downmix"}


def with_sound(channels: int | None = 2, *, audio: str = "aac", codec: str = "h264") -> Probe:
    sound = AudioStream(index=1, codec=audio, sample_rate=48000, channels=channels or 0)
    return facts(codec=codec).model_copy(update={"audio": (sound,) if channels else ()})


def plan_of(*steps: dict[str, object], probe: Probe | None = None, fusion: bool = True, **output: object) -> Plan:
    return compile_plan(parse_recipe({"steps": list(steps), "output": output}), probe or with_sound(), fusion=fusion)


def test_normalizing_is_measured_first_and_loses_nothing_of_the_picture() -> None:
    plan = plan_of(NORMALIZE)
    assert [(one.kind, one.source, one.needs) for one in plan.passes] == [
        ("measure", "original", ()),
        ("normalize", "original", ("measure",)),
        ("verify", "normalize", ()),
    ]
    assert (plan.generations, plan.sound_generations) == (0, 1)
    assert plan.passes[0].parameters == Measure(target=-16, duration=60)
    assert edit_of(plan.passes[1]).sound == SoundWork(target=-16, measured="measure")
    assert [one.files for one in plan.passes] == [("loudness.json",), ("result.mp4",), ()]


def test_what_is_measured_is_what_is_kept() -> None:
    plan = plan_of({"step": "trim", "start": 1, "end": 3}, NORMALIZE, DOWNMIX, probe=with_sound(6))
    assert kinds(plan) == ["measure", "render", "verify"]
    assert plan.passes[0].parameters == Measure(spans=(Span(start=1, end=3),), channels=2, target=-16, duration=2)
    assert (plan.generations, plan.sound_generations) == (1, 1)


def test_without_fusion_the_measuring_reads_what_the_step_before_made() -> None:
    steps = {"step": "trim", "end": 3}, {"step": "normalize", "target": -20}, {"step": "normalize", "target": -23}
    plan = plan_of(*steps, fusion=False)
    assert [(one.name, one.source, one.needs) for one in plan.passes] == [
        ("trim", "original", ()),
        ("measure", "trim", ()),
        ("normalize", "trim", ("measure",)),
        ("measure-2", "normalize", ()),
        ("normalize-2", "normalize", ("measure-2",)),
        ("verify", "normalize-2", ()),
    ]
    shown = [(one.name, one.files) for one in plan.passes if one.files]
    assert shown == [("measure-2", ("loudness.json",)), ("normalize-2", ("result.mp4",))]


@pytest.mark.parametrize(
    ("steps", "channels", "codes"),
    [
        ([NORMALIZE], None, ["recipe.no_sound"]),
        ([DOWNMIX, NORMALIZE], None, ["recipe.no_sound", "recipe.no_sound"]),
        ([NORMALIZE, {"step": "mute"}], 2, ["recipe.muted"]),
        ([{"step": "mute"}, DOWNMIX], 6, ["recipe.muted"]),
        ([DOWNMIX], 2, ["recipe.nothing_to_downmix"]),
        ([{"step": "downmix", "channels": 1}], 1, ["recipe.nothing_to_downmix"]),
    ],
)
@pytest.mark.parametrize("fusion", [True, False])
def test_what_can_do_nothing_is_warned_of_and_not_done(
    steps: list[dict[str, object]], channels: int | None, codes: list[str], fusion: bool
) -> None:
    plan = plan_of(*steps, probe=with_sound(channels), fusion=fusion)
    assert [warning.code for warning in plan.warnings] == codes
    assert "measure" not in kinds(plan)
    edits = [one.parameters for one in plan.passes if isinstance(one.parameters, Edit)]
    assert [edit.sound for edit in edits] == [None] * (len(plan.passes) - 1)
    assert (plan.generations, plan.sound_generations) == (0, 0)


@pytest.mark.parametrize(
    ("steps", "probe", "output", "fate"),
    [
        ([{"step": "resize", "height": 90}], with_sound(), {}, "copied"),
        ([{"step": "resize", "height": 90}], with_sound(), {"container": "webm"}, "encoded"),
        ([{"step": "resize", "height": 90}], with_sound(audio="opus"), {"container": "webm"}, "copied"),
        ([{"step": "trim", "end": 9}], with_sound(), {}, "encoded"),
        ([{"step": "mute"}], with_sound(), {}, "dropped"),
        ([{"step": "mute"}], with_sound(None), {}, None),
    ],
)
def test_the_plan_says_what_becomes_of_the_sound(
    steps: list[dict[str, object]], probe: Probe, output: dict[str, object], fate: str | None
) -> None:
    assert plan_of(*steps, probe=probe, **output).passes[0].sound == fate


@pytest.mark.parametrize(
    ("codec", "output", "copied"),
    [
        ("hevc", {"video_codec": "hevc"}, True),
        ("av1", {"video_codec": "av1"}, True),
        ("av1", {"container": "webm", "video_codec": "av1"}, True),
        ("vp9", {"video_codec": "vp9"}, True),
        ("h264", {"video_codec": "vp9"}, False),
        ("vp9", {}, False),
    ],
)
def test_packets_are_copied_where_the_picture_is_in_the_form_asked_for(
    codec: str, output: dict[str, object], copied: bool
) -> None:
    plan = plan_of({"step": "mute"}, probe=with_sound(codec=codec), **output)
    assert edit_of(plan.passes[0]).copy_packets is copied
    assert plan.passes[0].files == (f"result.{edit_of(plan.passes[0]).output.container}",)


def test_a_picture_that_the_codec_can_not_hold_is_refused() -> None:
    with pytest.raises(InvalidRecipe) as caught:
        plan_of({"step": "resize", "width": 10, "height": 10}, video_codec="hevc")
    assert caught.value.code == "recipe.size_unfit"
    assert [error.pointer for error in caught.value.errors] == ["/output/video_codec"]
