"""Which trims copy what lies between their borders, how much they encode at most, and why others encode it all."""

import pytest

from moviola.plan import Edit, Plan
from moviola.planner import compile_plan
from moviola.probe import AudioStream, Cutting, Probe, VideoStream
from moviola.recipe import parse_recipe

SAFE = Cutting(safe=True, starts=(0.0, 10.0, 20.0, 30.0), longest_start=10.0, longest_stop=0.16)
TRIM: dict[str, object] = {"step": "trim", "start": 8.5, "end": 25}
MUTE: dict[str, object] = {"step": "mute"}


def facts(cut: Cutting | None = SAFE, **about: object) -> Probe:
    stream = VideoStream.model_validate(
        {
            "index": 0,
            "codec": "h264",
            "width": 1920,
            "height": 1080,
            "display_width": 1920,
            "display_height": 1080,
            "pixel_format": "yuv420p",
            "frame_rate": 25,
            "cut": cut,
            **about,
        }
    )
    return Probe(container="mp4", size=1000, duration=38.0, video=stream)


def plan_of(*steps: dict[str, object], of: Probe | None = None, fusion: bool = True, quality: int = 23) -> Plan:
    recipe = parse_recipe({"steps": list(steps), "output": {"quality": quality}})
    return compile_plan(recipe, of or facts(), fusion=fusion)


def smart(plan: Plan, number: int = 0) -> bool:
    edit = plan.passes[number].parameters
    assert isinstance(edit, Edit)
    return edit.smart_cut


@pytest.mark.parametrize(
    ("keep", "seconds"),
    [
        ([(8.5, 25)], 1.66),
        ([(8.5, 20)], 1.5),
        ([(10.0000004, 25)], 0.16),
        ([(8.5, 38)], 1.5),
        ([(0, 10.05)], 0.05),
        ([(3, 13), (19, 21)], 7.16 + 1.16),
        ([(1, 2), (10, 20)], 1.0),
    ],
)
def test_only_what_lies_beside_the_key_frames_is_encoded(keep: list[tuple[float, float]], seconds: float) -> None:
    plan = plan_of({"step": "trim", "keep": [{"start": start, "end": end} for start, end in keep]})

    assert smart(plan)
    assert plan.passes[0].encoded_seconds == pytest.approx(seconds)
    assert (plan.passes[0].lossy, plan.generations, plan.partial, plan.warnings) == (True, 1, True, ())


@pytest.mark.parametrize(("start", "end"), [(0, 10), (10, 30), (20, 38), (0, 500)])
def test_a_trim_between_key_frames_costs_no_generation(start: float, end: float) -> None:
    plan = plan_of({"step": "trim", "start": start, "end": end})

    assert smart(plan)
    assert (plan.passes[0].lossy, plan.passes[0].encoded_seconds) == (False, 0.0)
    assert (plan.generations, plan.partial) == (0, False)


def test_sound_that_is_worked_on_leaves_the_pictures_to_be_copied() -> None:
    surround = AudioStream(index=1, codec="aac", sample_rate=48000, channels=6)
    probe = facts().model_copy(update={"audio": (surround,)})

    plan = plan_of(TRIM, {"step": "downmix"}, {"step": "normalize"}, of=probe)

    assert [one.kind for one in plan.passes] == ["measure", "render", "verify"]
    edit = plan.passes[1].parameters
    assert isinstance(edit, Edit)
    assert edit.smart_cut
    assert edit.sound is not None


def test_muting_and_trimming_again_change_nothing_about_it() -> None:
    plan = plan_of(TRIM, MUTE, {"step": "trim", "end": 14})

    assert smart(plan)
    assert plan.passes[0].kind == "render"
    assert plan.passes[0].encoded_seconds == pytest.approx(1.66)


@pytest.mark.parametrize("fusion", [True, False])
def test_a_step_that_changes_pictures_takes_the_trim_with_it_unless_it_is_a_pass_of_its_own(fusion: bool) -> None:
    plan = plan_of(TRIM, {"step": "resize", "height": 480}, fusion=fusion)

    assert smart(plan) is not fusion
    assert plan.generations == (1 if fusion else 2)
    assert not plan.partial
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (facts(Cutting(safe=False, reason="the file has open GOPs")), "the file has open GOPs"),
        (facts(codec="vp9"), "the picture is vp9"),
        (facts(sample_aspect_ratio="4:3"), "not square"),
        (facts(hdr="hlg"), "HDR"),
        (facts(Cutting(safe=True, starts=(0.0, 30.0), longest_start=30.0, longest_stop=0.2)), "no key frame lies"),
    ],
)
def test_all_is_encoded_with_the_reason_where_copying_is_not_safe(of: Probe, reason: str) -> None:
    plan = plan_of(TRIM, of=of)

    (warning,) = plan.warnings
    assert not smart(plan)
    assert warning.code == "plan.reencoded"
    assert reason in warning.message
    assert (plan.passes[0].lossy, plan.passes[0].encoded_seconds) == (True, None)
    assert (plan.generations, plan.partial) == (1, False)


def test_a_trim_of_what_a_pass_has_made_is_encoded() -> None:
    plan = plan_of(TRIM, {"step": "trim", "start": 1.5}, fusion=False)

    assert (smart(plan, 0), smart(plan, 1)) == (True, False)
    assert "an earlier step" in plan.warnings[0].message


def test_lossless_borders_can_not_be_had() -> None:
    assert not smart(plan_of(TRIM, quality=0))
    assert smart(plan_of({"step": "trim", "start": 10}, quality=0))


def test_where_not_all_key_frames_are_known_the_longest_borders_are_counted() -> None:
    plan = plan_of(TRIM, of=facts(SAFE.model_copy(update={"starts": None})))

    assert smart(plan)
    assert plan.passes[0].encoded_seconds == pytest.approx(10.16)


def test_facts_of_an_older_worker_promise_nothing() -> None:
    plan = plan_of(TRIM, of=facts(None))

    assert not smart(plan)
    assert plan.warnings == ()
