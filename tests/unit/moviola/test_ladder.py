"""Ladders and where they are made: no rendition above the picture, one decode, and generations told as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.errors import InvalidRecipe
from moviola.ladder import known_language, ladder_of
from moviola.output import Output
from moviola.packaging import Package
from moviola.plan import Edit, Pass, Plan, edit_and_ladder
from moviola.plan import Package as PackageWork
from moviola.planner import compile_plan
from moviola.probe import AudioStream, Cutting, Probe, VideoStream
from moviola.recipe import parse_recipe


def facts(
    width: int = 1280, height: int = 720, *, codec: str = "h264", language: str | None = None, cut: bool = False
) -> Probe:
    video = VideoStream(
        index=0,
        codec=codec,
        width=width,
        height=height,
        display_width=width,
        display_height=height,
        pixel_format="yuv420p",
        frame_rate=25,
        cut=Cutting(safe=True, starts=(0.0, 5.0, 10.0), longest_start=5, longest_stop=0.1) if cut else None,
    )
    sound = AudioStream(index=1, codec="aac", sample_rate=48000, channels=2, language=language)
    return Probe(container="mp4", size=1, duration=20, video=video, audio=(sound,))


def plan_of(*steps: dict[str, object], probe: Probe | None = None, fusion: bool = True, **output: object) -> Plan:
    return compile_plan(parse_recipe({"steps": list(steps), "output": output}), probe or facts(), fusion=fusion)


def making(plan: Plan) -> list[Pass]:
    """All but the one that verifies what the others made."""
    return [one for one in plan.passes if one.kind != "verify"]


def passes(plan: Plan) -> list[tuple[str, str]]:
    return [(one.name, one.source) for one in making(plan)]


def sizes(step: Package, width: int, height: int) -> list[tuple[int, int]]:
    return [(rung.width, rung.height) for rung in ladder_of(step, (width, height), Output())[0].rungs]


PACKAGE = {"step": "package", "heights": [720, 480]}


@pytest.mark.parametrize(
    ("size", "ladder"),
    [
        ((3840, 2160), [(3840, 2160), (1920, 1080), (1280, 720), (854, 480)]),
        ((1920, 1080), [(1920, 1080), (1280, 720), (854, 480), (640, 360)]),
        ((1280, 720), [(1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1080, 1920), [(1080, 1920), (720, 1280), (480, 854), (360, 640)]),
        ((640, 272), [(640, 272)]),
        ((160, 96), [(160, 96)]),
    ],
)
def test_without_heights_the_ladder_goes_down_from_the_picture(
    size: tuple[int, int], ladder: list[tuple[int, int]]
) -> None:
    assert sizes(Package(), *size) == ladder


def test_a_height_above_the_picture_is_left_out_with_a_warning() -> None:
    ladder, (warning,) = ladder_of(Package(heights=(480, 1080, 720)), (1280, 720), Output())
    assert [rung.name for rung in ladder.rungs] == ["720p", "480p"]
    assert warning.code == "recipe.rendition_above_source"
    assert "1080" in warning.message


def test_where_all_heights_are_above_the_picture_it_keeps_its_own_size() -> None:
    ladder, warnings = ladder_of(Package(heights=(1080, 720)), (640, 360), Output())
    assert [(rung.width, rung.height) for rung in ladder.rungs] == [(640, 360)]
    assert len(warnings) == 2


def test_renditions_that_the_codec_can_not_have_are_left_out() -> None:
    ladder, (warning,) = ladder_of(Package(heights=(96, 10)), (160, 96), Output(video_codec="hevc"))
    assert [rung.name for rung in ladder.rungs] == ["96p"]
    assert warning.code == "recipe.rendition_unfit"
    with pytest.raises(InvalidRecipe):
        ladder_of(Package(heights=(10,)), (160, 96), Output(video_codec="hevc"))


@given(
    st.integers(1, 2000).map(lambda half: half * 2),
    st.integers(1, 2000).map(lambda half: half * 2),
    st.lists(st.integers(2, 5000), max_size=8, unique=True),
)
def test_no_ladder_rises_above_the_picture_or_has_an_odd_side(width: int, height: int, heights: list[int]) -> None:
    made = sizes(Package(heights=tuple(heights) or None), width, height)
    assert made
    assert all(w <= width and h <= height and w % 2 == 0 and h % 2 == 0 and w and h for w, h in made)
    assert len({h for _, h in made}) == len(made)


def test_an_edit_that_encodes_makes_the_package_too_from_its_one_decode() -> None:
    plan = plan_of({"step": "resize", "height": 720}, PACKAGE)
    (one,) = making(plan)
    assert (one.name, one.kind, one.covers) == ("render", "render", (0, 1))
    assert one.files[:2] == ("result.mp4", "hls/master.m3u8")
    edit, ladder = edit_and_ladder(one.parameters)
    assert isinstance(edit, Edit)
    assert ladder is not None
    # The rendition of the result's own size is the result's encode.
    assert [(rung.name, rung.shared) for rung in ladder.rungs] == [("720p", True), ("480p", False)]
    assert plan.generations_of == {"result.mp4": 1, "hls": 1}


@pytest.mark.parametrize(
    "step", [{"step": "mute"}, {"step": "trim", "start": 3, "end": 12}, {"step": "trim", "start": 5}], ids=str
)
def test_where_packets_are_copied_the_package_is_made_of_the_same_source(step: dict[str, object]) -> None:
    plan = plan_of(step, PACKAGE, {"step": "thumbnails"}, probe=facts(cut=True))
    name = str(step["step"])
    assert passes(plan) == [(name, "original"), ("package", "original"), ("thumbnails", name)]
    assert plan.generations_of["hls"] == 1
    assert plan.generations == plan.generations_of["result.mp4"] == plan.passes[0].lossy
    work = plan.named("package").parameters
    edited = plan.named(name).parameters
    assert isinstance(work, PackageWork)
    assert isinstance(edited, Edit)
    assert (work.edit.spans, work.edit.mute) == (edited.spans, edited.mute)
    assert not work.edit.copy_packets
    assert not work.edit.smart_cut


def test_sound_that_is_normalized_beside_copied_pictures_is_so_in_the_package() -> None:
    plan = plan_of({"step": "normalize"}, PACKAGE)
    package = plan.named("package")
    assert package.needs == ("measure",)
    edit, _ = edit_and_ladder(package.parameters)
    assert edit is not None
    assert edit.sound is not None
    assert edit.sound.measured == "measure"


def test_a_package_alone_is_made_of_the_original() -> None:
    plan = plan_of(PACKAGE, probe=facts(width=1279, height=719))
    assert passes(plan) == [("package", "original")]
    assert (plan.generations, dict(plan.generations_of)) == (1, {"hls": 1})
    edit, ladder = edit_and_ladder(plan.passes[0].parameters)
    assert edit is not None
    assert ladder is not None
    assert (edit.width, edit.height, len(edit.picture)) == (1278, 718, 1)
    assert [rung.name for rung in ladder.rungs] == ["480p"]


def test_without_fusion_the_package_is_made_of_the_result_and_the_plan_says_what_that_costs() -> None:
    plan = plan_of({"step": "resize", "height": 480}, PACKAGE, {"step": "mute"}, fusion=False)
    assert passes(plan) == [("resize", "original"), ("mute", "resize"), ("package", "mute")]
    assert plan.generations_of == {"result.mp4": 1, "hls": 2}
    _, ladder = edit_and_ladder(plan.named("package").parameters)
    assert ladder is not None
    assert [rung.name for rung in ladder.rungs] == ["480p"]
    assert not ladder.sound


def test_renditions_are_in_the_results_codec_where_fmp4_has_it() -> None:
    resize: dict[str, object] = {"step": "resize", "height": 720}
    for wanted, codec, shared in (("hevc", "hevc", True), ("av1", "av1", True), ("vp9", "h264", False)):
        _, ladder = edit_and_ladder(plan_of(resize, PACKAGE, video_codec=wanted).passes[0].parameters)
        assert ladder is not None
        assert (ladder.output.video_codec, ladder.output.audio_codec) == (codec, "aac")
        assert [rung.shared for rung in ladder.rungs] == [shared, False]


def test_captions_know_what_is_left_of_the_original_after_all_trims() -> None:
    package = {**PACKAGE, "captions": [{"language": "en", "file": "captions-en"}]}
    trims = [{"step": "trim", "start": 2, "end": 12}, {"step": "trim", "cut": [{"start": 1, "end": 4}]}]
    for fusion in (True, False):
        plan = plan_of(*trims, {"step": "resize", "height": 480}, package, fusion=fusion)
        _, ladder = edit_and_ladder(making(plan)[-1].parameters)
        assert ladder is not None
        assert [(span.start, span.end) for span in ladder.kept or ()] == [(2, 3), (6, 12)]
        assert "hls/captions-en.vtt" in making(plan)[-1].files


@pytest.mark.parametrize(
    ("said", "known"), [("eng", "eng"), ("und", None), (None, None), ('e"\n#EXT', None), ("", None)]
)
def test_what_a_file_says_of_its_language_is_believed_only_where_it_is_one(said: str | None, known: str | None) -> None:
    assert known_language(said) == known


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"heights": []}, "/steps/0/heights"),
        ({"heights": [1]}, "/steps/0/heights/0"),
        ({"heights": [480, 480]}, "/steps/0"),
        ({"heights": list(range(100, 109))}, "/steps/0/heights"),
        ({"segment_seconds": 0}, "/steps/0/segment_seconds"),
        ({"captions": [{"language": "../en", "file": "captions-en"}]}, "/steps/0/captions/0/language"),
        ({"captions": [{"language": "en", "file": "../../etc"}]}, "/steps/0/captions/0/file"),
        ({"captions": [{"language": "en", "label": 'a"b', "file": "captions"}]}, "/steps/0/captions/0/label"),
        ({"captions": [{"language": "en", "file": "captions"}] * 2}, "/steps/0/captions"),
        ({"title": "x"}, "/steps/0/title"),
    ],
)
def test_a_bad_package_is_refused_with_a_pointer(step: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        parse_recipe({"steps": [{"step": "package", **step}]})
    assert refused.value.errors[0].pointer == pointer


def test_a_recipe_packages_once() -> None:
    with pytest.raises(InvalidRecipe, match="one step package") as refused:
        parse_recipe({"steps": [PACKAGE, PACKAGE]})
    assert refused.value.errors[0].pointer == "/steps"
