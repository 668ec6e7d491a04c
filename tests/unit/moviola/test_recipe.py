"""What a recipe may say, and how a bad one is answered: one entry per bad field, with a pointer to it."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.errors import InvalidRecipe
from moviola.recipe import BUILT_IN, Mute, Recipe, Resize, Thumbnails, Trim, Watermark, parse_recipe


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
        ({"step": "mute", "loud": True}, "/steps/0/loud"),
        ({"step": "thumbnails", "at": "1"}, "/steps/0/at"),
        ({"step": "zap"}, "/steps/0"),
        ({}, "/steps/0"),
    ],
)
def test_a_bad_field_is_pointed_at(step: dict[str, object], pointer: str) -> None:
    assert pointer in pointers(one_step(**step))


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
