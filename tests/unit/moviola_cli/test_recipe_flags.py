"""From flags to a recipe."""

import pytest

from moviola.errors import InvalidRecipe
from moviola.marking import NO_OUTLINE
from moviola.packaging import Captions
from moviola.recipe import (
    SHOWCASE,
    Downmix,
    Mute,
    Normalize,
    Package,
    PreviewWish,
    Recipe,
    Resize,
    StoryboardWish,
    Thumbnails,
    TimeRange,
    Trim,
    Watermark,
    parse_recipe,
)
from moviola_cli.outcome import BadUse
from moviola_cli.recipe_flags import RecipeFlags, compose_recipe, parse_heights, parse_time


def test_no_flag_means_no_step() -> None:
    assert compose_recipe(RecipeFlags()) == Recipe(steps=())


def test_flags_alone_mean_just_those_steps_in_the_usual_order() -> None:
    flags = RecipeFlags(poster=True, mute=True, text="ANB", position="top", height=720, start=5.0, end=35.0)

    assert compose_recipe(flags).steps == (
        Trim(start=5, end=35),
        Resize(height=720),
        Watermark(text="ANB", position="top"),
        Mute(),
        Thumbnails(),
    )


def test_flags_override_what_the_recipes_steps_say() -> None:
    steps = compose_recipe(RecipeFlags(end=10.0, height=360, text="Other"), SHOWCASE).steps

    assert steps[:3] == (Trim(start=0, end=10), Resize(width=1280, height=360), Watermark(text="Other"))
    assert steps[3:] == SHOWCASE.steps[3:]


def test_sound_is_mixed_down_before_it_is_normalized() -> None:
    flags = RecipeFlags(normalize=-16.0, downmix=2, height=360)

    assert compose_recipe(flags).steps == (Resize(height=360), Downmix(channels=2), Normalize(target=-16))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (RecipeFlags(video_codec="hevc"), ("mp4", "hevc", 28)),
        (RecipeFlags(video_codec="vp9"), ("webm", "vp9", 31)),
        (RecipeFlags(video_codec="av1", webm=True), ("webm", "av1", 35)),
        (RecipeFlags(webm=True), ("webm", "vp9", 31)),
    ],
)
def test_a_codec_and_a_name_choose_the_form(flags: RecipeFlags, expected: tuple[str, str, int]) -> None:
    output = compose_recipe(flags).output
    assert (output.container, output.video_codec, output.quality) == expected


@pytest.mark.parametrize(
    ("codec", "expected"), [("av1", ("webm", "av1", 35)), ("vp9", ("webm", "vp9", 20)), ("h264", ("mp4", "h264", 23))]
)
def test_a_codec_keeps_what_the_recipe_says_as_far_as_it_fits(codec: str, expected: tuple[str, str, int]) -> None:
    base = parse_recipe({"steps": [], "output": {"container": "webm", "quality": 20, "preset": "slow"}})

    output = compose_recipe(RecipeFlags(video_codec=codec), base).output

    assert (output.container, output.video_codec, output.quality) == expected
    assert output.preset == "slow"


def test_start_and_end_replace_a_list_of_ranges() -> None:
    base = Recipe(steps=(Trim(keep=(TimeRange(start=0, end=1),)),))

    assert compose_recipe(RecipeFlags(start=2.0), base).steps == (Trim(start=2),)


def test_an_image_replaces_a_text_and_keeps_its_place() -> None:
    base = Recipe(steps=(Watermark(text="Old", position="center", margin=7),))

    assert compose_recipe(RecipeFlags(image="id"), base).steps == (Watermark(image="id", position="center", margin=7),)


def test_position_alone_moves_the_recipes_watermark() -> None:
    assert compose_recipe(RecipeFlags(position="top"), SHOWCASE).steps[2] == Watermark(text="Moviola", position="top")


def test_a_watermarks_looks_are_flags_too() -> None:
    flags = RecipeFlags(text="A", margin=0, opacity=0.5, scale=0.25, color="#ff0000")

    assert compose_recipe(flags).steps == (Watermark(text="A", margin=0, opacity=0.5, scale=0.25, color="#ff0000"),)


def test_an_image_does_not_inherit_the_looks_of_a_text() -> None:
    base = Recipe(steps=(Watermark(text="Old", font="mono", color="#ff0000", outline=NO_OUTLINE, opacity=0.5),))

    assert compose_recipe(RecipeFlags(image="id"), base).steps == (Watermark(image="id", opacity=0.5),)


def test_a_position_replaces_a_place_in_pixels() -> None:
    base = Recipe(steps=(Watermark(text="A", x=3, y="50%"),))

    assert compose_recipe(RecipeFlags(position="top"), base).steps == (Watermark(text="A", position="top"),)


def test_a_recipe_without_outline_stays_without() -> None:
    base = Recipe(steps=(Watermark(text="A", outline=NO_OUTLINE),))

    assert compose_recipe(RecipeFlags(mute=True), base).steps == (*base.steps, Mute())


def test_a_new_step_goes_before_the_later_ones_and_none_comes_twice() -> None:
    base = parse_recipe({"steps": [{"step": "mute"}, {"step": "thumbnails", "at": 1}], "output": {"quality": 30}})

    recipe = compose_recipe(RecipeFlags(width=640, mute=True, poster=True), base)

    assert recipe.steps == (Resize(width=640), Mute(), Thumbnails(at=1))
    assert recipe.output.quality == 30


def test_stills_by_flag_are_just_those() -> None:
    flags = RecipeFlags(storyboard=True, preview=True)

    (one,) = compose_recipe(flags).steps

    assert one == Thumbnails(poster=False, storyboard=StoryboardWish(), preview=PreviewWish())


def test_a_flag_leaves_what_the_recipe_says_of_its_still() -> None:
    board = StoryboardWish(count=5)
    base = Recipe(steps=(Thumbnails(at=1, storyboard=board),))

    (one,) = compose_recipe(RecipeFlags(storyboard=True, preview=True, poster=True), base).steps

    assert one == Thumbnails(at=1, storyboard=board, preview=PreviewWish())


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (RecipeFlags(fit="cover"), "--width or --height"),
        (RecipeFlags(position="top"), "--watermark-text"),
        (RecipeFlags(opacity=0.5), "--watermark-text"),
    ],
)
def test_a_flag_that_says_nothing_alone_is_refused(flags: RecipeFlags, sentence: str) -> None:
    with pytest.raises(BadUse, match=sentence):
        compose_recipe(flags)


@pytest.mark.parametrize(
    "flags",
    [
        RecipeFlags(start=5.0, end=5.0),
        RecipeFlags(start=-1.0),
        RecipeFlags(end=float("inf")),
        RecipeFlags(width=0),
        RecipeFlags(text="a", color="red"),
        RecipeFlags(image="a", color="#ffffff00"),
    ],
)
def test_values_that_no_recipe_may_have_are_refused(flags: RecipeFlags) -> None:
    with pytest.raises(InvalidRecipe):
        compose_recipe(flags)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("90.25", 90.25), ("1:30.5", 90.5), ("0:01:30", 90.0), ("01:00:00", 3600.0), ("-1", -1.0)],
)
def test_times_are_seconds_or_a_clock(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "1m30s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadUse, match="is not a time"):
        parse_time(text)


def test_a_package_comes_last_and_takes_heights_and_captions() -> None:
    flags = RecipeFlags(hls=True, heights=(720, 480), captions={"en": "captions-en"}, mute=True, poster=True)

    assert compose_recipe(flags).steps == (
        Mute(),
        Thumbnails(),
        Package(heights=(720, 480), captions=(Captions(language="en", file="captions-en"),)),
    )


def test_heights_or_captions_alone_mean_a_package_too() -> None:
    assert compose_recipe(RecipeFlags(heights=(480,))).steps == (Package(heights=(480,)),)
    (step,) = compose_recipe(RecipeFlags(captions={"en": "captions-en"})).steps
    assert isinstance(step, Package)


def test_captions_take_the_place_of_a_recipes_own_in_that_language() -> None:
    own = [{"language": "en", "label": "English", "file": "captions-a"}, {"language": "de", "file": "captions-b"}]
    base = parse_recipe({"steps": [{"step": "package", "heights": [480], "captions": own}]})

    (step,) = compose_recipe(RecipeFlags(hls=True, captions={"EN": "captions-EN", "fr": "captions-fr"}), base).steps

    assert isinstance(step, Package)
    assert step.heights == (480,)
    assert [(one.language, one.label, one.file) for one in step.captions] == [
        ("en", "English", "captions-EN"),
        ("de", None, "captions-b"),
        ("fr", None, "captions-fr"),
    ]


def test_where_a_video_is_expected_and_only_a_package_is_made_all_of_it_is_taken() -> None:
    assert compose_recipe(RecipeFlags(result=True, hls=True)).steps == (Trim(start=0), Package())
    assert compose_recipe(RecipeFlags(result=True, hls=True, mute=True)).steps == (Mute(), Package())
    assert compose_recipe(RecipeFlags(hls=True)).steps == (Package(),)
    assert compose_recipe(RecipeFlags(result=True)).steps == ()


def test_heights_come_by_comma() -> None:
    assert parse_heights("720, 480") == (720, 480)
    with pytest.raises(BadUse, match="720,480"):
        parse_heights("tall")
