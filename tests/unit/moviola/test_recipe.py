"""What a recipe may say, and how a bad one is answered: one entry per bad field, with a pointer to it."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.errors import InvalidRecipe
from moviola.recipe import (
    BUILT_IN,
    Mute,
    PreviewWish,
    Recipe,
    Resize,
    StoryboardWish,
    Thumbnails,
    Trim,
    Watermark,
    parse_recipe,
)


def pointers(source: object) -> dict[str, str]:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe(source)
    return {error.pointer: error.message for error in caught.value.errors}


def one_step(**step: object) -> dict[str, object]:
    return {"version": 1, "steps": [step]}


def test_the_recipe_of_the_design_is_read() -> None:
    recipe = parse_recipe(
        """{"version": 1, "steps": [
        {"step": "trim", "start": 5, "end": 35},
        {"step": "resize", "height": 720},
        {"step": "watermark", "text": "ANB", "position": "bottom-right", "margin": 20, "opacity": 0.8, "scale": 0.15},
        {"step": "mute"},
        {"step": "thumbnails"}],
        "output": {"container": "mp4", "video_codec": "h264", "audio_codec": "aac", "quality": 23}}"""
    )
    assert recipe.steps == (
        Trim(start=5, end=35),
        Resize(height=720),
        Watermark(text="ANB", position="bottom-right", margin=20, opacity=0.8, scale=0.15),
        Mute(),
        Thumbnails(),
    )


def test_the_default_recipe_is_the_seeds() -> None:
    names = [step.step for step in BUILT_IN["showcase"].steps]
    assert names == ["trim", "resize", "watermark", "mute", "thumbnails"]


@pytest.mark.parametrize("recipe", BUILT_IN.values(), ids=BUILT_IN)
def test_a_recipe_survives_being_stored(recipe: Recipe) -> None:
    assert parse_recipe(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"step": "trim", "start": -1}, "/steps/0/start"),
        ({"step": "trim", "start": "5"}, "/steps/0/start"),
        ({"step": "trim", "start": True}, "/steps/0/start"),
        ({"step": "trim", "start": 1e9}, "/steps/0/start"),
        ({"step": "trim", "start": 9, "end": 9}, "/steps/0"),
        ({"step": "trim"}, "/steps/0"),
        ({"step": "trim", "start": 1, "keep": [{"start": 1}]}, "/steps/0"),
        ({"step": "trim", "keep": [{"start": 5, "end": 9}, {"start": 8, "end": 10}]}, "/steps/0"),
        ({"step": "trim", "keep": [{"start": 5}, {"start": 8, "end": 10}]}, "/steps/0"),
        ({"step": "trim", "cut": []}, "/steps/0/cut"),
        ({"step": "resize"}, "/steps/0"),
        ({"step": "resize", "width": 1}, "/steps/0/width"),
        ({"step": "resize", "width": 1e3 + 0.5}, "/steps/0/width"),
        ({"step": "resize", "width": 100000}, "/steps/0/width"),
        ({"step": "resize", "width": 100, "fit": "squeeze"}, "/steps/0/fit"),
        ({"step": "resize", "width": 100, "upscale": 1}, "/steps/0/upscale"),
        ({"step": "watermark"}, "/steps/0"),
        ({"step": "watermark", "text": "a", "image": "b"}, "/steps/0"),
        ({"step": "watermark", "text": ""}, "/steps/0/text"),
        ({"step": "watermark", "text": "a", "opacity": 0}, "/steps/0/opacity"),
        ({"step": "watermark", "text": "a", "opacity": 1.01}, "/steps/0/opacity"),
        ({"step": "watermark", "text": "a", "font": "comic"}, "/steps/0/font"),
        ({"step": "watermark", "text": "a", "color": "red"}, "/steps/0/color"),
        ({"step": "watermark", "text": "a", "color": "#12345"}, "/steps/0/color"),
        ({"step": "watermark", "text": "a", "color": "#1234567\n"}, "/steps/0/color"),
        ({"step": "watermark", "text": "a", "outline": {"color": "#12"}}, "/steps/0/outline/color"),
        ({"step": "watermark", "text": "a", "outline": {"width": 0.3}}, "/steps/0/outline/width"),
        ({"step": "watermark", "text": "a", "outline": {"blur": 1}}, "/steps/0/outline/blur"),
        ({"step": "watermark", "text": "a", "outline": False}, "/steps/0/outline"),
        ({"step": "watermark", "image": "a", "color": "#112233"}, "/steps/0/color"),
        ({"step": "watermark", "image": "a", "outline": None}, "/steps/0/outline"),
        ({"step": "watermark", "text": "a", "position": "middle"}, "/steps/0/position"),
        ({"step": "watermark", "text": "a", "x": 1.5, "y": 1}, "/steps/0/x"),
        ({"step": "watermark", "text": "a", "x": True, "y": 1}, "/steps/0/x"),
        ({"step": "watermark", "text": "a", "x": 1, "y": "10"}, "/steps/0/y"),
        ({"step": "watermark", "text": "a", "x": 1, "y": "101%"}, "/steps/0/y"),
        ({"step": "watermark", "text": "a", "x": 1, "y": "٣%"}, "/steps/0/y"),
        ({"step": "watermark", "text": "a", "x": 20000, "y": 1}, "/steps/0/x"),
        ({"step": "watermark", "text": "a", "x": 1}, "/steps/0"),
        ({"step": "watermark", "text": "a", "position": "top", "x": 1, "y": 1}, "/steps/0/x"),
        ({"step": "watermark", "text": "a", "margin": -1}, "/steps/0/margin"),
        ({"step": "watermark", "text": "a", "scale": 0}, "/steps/0/scale"),
        ({"step": "watermark", "text": "a", "tile": 1}, "/steps/0/tile"),
        ({"step": "watermark", "text": "a", "tile": True, "spacing": -0.1}, "/steps/0/spacing"),
        ({"step": "watermark", "text": "a", "start": -1}, "/steps/0/start"),
        ({"step": "watermark", "text": "a", "start": 2, "end": 2}, "/steps/0/end"),
        ({"step": "watermark", "text": "a", "end": 0}, "/steps/0/end"),
        ({"step": "watermark", "text": "a", "fade": 61}, "/steps/0/fade"),
        ({"step": "mute", "loud": True}, "/steps/0/loud"),
        ({"step": "thumbnails", "at": "1"}, "/steps/0/at"),
        ({"step": "thumbnails", "width": 0}, "/steps/0/width"),
        ({"step": "thumbnails", "poster": False}, "/steps/0"),
        ({"step": "thumbnails", "poster": False, "storyboard": True, "at": 1}, "/steps/0/at"),
        ({"step": "thumbnails", "storyboard": 1}, "/steps/0/storyboard"),
        ({"step": "thumbnails", "storyboard": "yes"}, "/steps/0/storyboard"),
        ({"step": "thumbnails", "storyboard": {"interval": 0}}, "/steps/0/storyboard/interval"),
        ({"step": "thumbnails", "storyboard": {"interval": 1, "count": 5}}, "/steps/0/storyboard/count"),
        ({"step": "thumbnails", "storyboard": {"columns": 26}}, "/steps/0/storyboard/columns"),
        ({"step": "thumbnails", "storyboard": {"rows": 1}}, "/steps/0/storyboard/rows"),
        ({"step": "thumbnails", "preview": []}, "/steps/0/preview"),
        ({"step": "thumbnails", "preview": {"seconds": 60}}, "/steps/0/preview/seconds"),
        ({"step": "thumbnails", "preview": {"frames_per_second": "10"}}, "/steps/0/preview/frames_per_second"),
        ({"step": "thumbnails", "preview": {"loop": 1}}, "/steps/0/preview/loop"),
        ({"step": "zap"}, "/steps/0"),
        ({}, "/steps/0"),
    ],
)
def test_a_bad_field_is_pointed_at(step: dict[str, object], pointer: str) -> None:
    assert pointer in pointers(one_step(**step))


def test_true_asks_for_the_usual_still_and_false_for_none() -> None:
    usual = parse_recipe(one_step(step="thumbnails", storyboard=True, preview={}))
    assert usual.steps == (Thumbnails(storyboard=StoryboardWish(), preview=PreviewWish()),)
    assert parse_recipe(usual.model_dump_json(exclude_none=True)) == usual
    assert parse_recipe(one_step(step="thumbnails", storyboard=False, preview=None)).steps == (Thumbnails(),)


def test_two_steps_may_share_the_stills_but_not_make_one_twice() -> None:
    apart = [{"step": "thumbnails"}, {"step": "thumbnails", "poster": False, "preview": True}]
    assert len(parse_recipe({"steps": apart}).steps) == 2
    assert "one poster" in pointers({"steps": [{"step": "thumbnails"}, {"step": "thumbnails"}]})["/steps"]


def test_all_of_a_watermark_is_read_and_survives_being_stored_without_its_nulls() -> None:
    wishes = {
        "text": "A", "font": "mono", "color": "#FF00ff80", "outline": None, "x": -10, "y": "-12.5%", "margin": 0,
        "opacity": 0.5, "scale": 0.1, "tile": True, "spacing": 2.5, "start": 1, "end": 2.5, "fade": 0.25,
    }  # fmt: skip

    recipe = parse_recipe(one_step(step="watermark", **wishes))

    (step,) = recipe.steps
    assert isinstance(step, Watermark)
    assert (step.x, step.y, step.outline.width) == (-10, "-12.5%", 0)
    assert parse_recipe(recipe.model_dump_json(exclude_none=True)) == recipe


def test_each_bad_field_has_its_own_entry() -> None:
    bad = {"steps": [{"step": "trim", "start": -1}, {"step": "mute", "a/b": 1}], "output": {"quality": 99}}
    assert set(pointers(bad)) == {"/steps/0/start", "/steps/1/a~1b", "/output/quality"}


def test_an_unknown_step_is_answered_with_those_that_exist() -> None:
    message = pointers(one_step(step="zap"))["/steps/0"]
    assert "'zap'" in message
    assert "watermark" in message


@pytest.mark.parametrize("number", ["1e309", "NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_pointed_at(number: str) -> None:
    text = f'{{"steps": [{{"step": "mute"}}, {{"step": "trim", "start": {number}}}]}}'
    assert set(pointers(text)) == {"/steps/1/start"}


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="'start' is given twice") as caught:
        parse_recipe('{"steps": [{"step": "trim", "start": 1, "start": 2}]}')
    assert caught.value.code == "json.duplicate_key"


@pytest.mark.parametrize("depth", [65, 10_000, 1_000_000])
def test_depth_is_refused_before_it_hurts(depth: int) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe('{"steps": ' + "[" * depth + "]" * depth + "}")
    assert caught.value.code == "json.too_deep"


@pytest.mark.parametrize("source", ["", "{", "nul", b"\xff\xfe", "[]", "3", "null", {"steps": {1, 2}}])
def test_what_is_no_recipe_at_all_is_refused(source: object) -> None:
    with pytest.raises(InvalidRecipe):
        parse_recipe(source)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["step", "steps", "start", "text"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_recipe_or_a_clear_refusal(value: object) -> None:
    """Nothing but ``InvalidRecipe`` ever comes out, and what is accepted means the same when read again."""
    with suppress(InvalidRecipe):
        recipe = parse_recipe(json.dumps(value))
        assert parse_recipe(recipe.model_dump_json()) == recipe
