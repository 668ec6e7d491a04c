"""What a client wants of a video, from JSON and from a form."""

import pytest

from moviola.errors import InvalidInput
from moviola.recipe import SHOWCASE
from moviola_api.wishes import Wishes, wishes_from_form, wishes_from_json


def test_nothing_said_means_the_showcase() -> None:
    assert wishes_from_form({}) == Wishes(recipe=SHOWCASE)


@pytest.mark.parametrize("text", ["showcase", '"showcase"', " showcase "])
def test_a_known_recipe_goes_by_its_name(text: str) -> None:
    assert wishes_from_form({"recipe": [text]}).recipe == SHOWCASE


@pytest.mark.parametrize("text", ["null", " null "])
def test_null_means_store_and_probe_only(text: str) -> None:
    assert wishes_from_form({"recipe": [text]}).recipe is None


def test_all_fields_of_a_form_are_read() -> None:
    wishes = wishes_from_form(
        {
            "recipe": ['{"steps": [{"step": "mute"}]}'],
            "title": ["  A day  "],
            "tags": ["sea, sun", "sea"],
            "metadata": ['{"camera": "X"}'],
            "priority": ["-5"],
        }
    )

    assert wishes.recipe is not None
    assert [step.step for step in wishes.recipe.steps] == ["mute"]
    assert (wishes.title, wishes.tags, wishes.metadata, wishes.priority) == (
        "A day",
        ("sea", "sun"),
        {"camera": "X"},
        -5,
    )


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"recipe": ["unheard-of"]}, "/recipe", "recipe.unknown"),
        ({"recipe": ['{"steps": [{"step": "trim", "start": -1}]}']}, "/recipe/steps/0/start", "recipe.invalid"),
        ({"recipe": ['{"steps": [], "steps": []}']}, "/recipe", "json.duplicate_key"),
        ({"recipe": ["{"]}, "/recipe", "json.invalid"),
        ({"recipe": ['{"steps": [{"step": "trim", "start": 1e309}]}']}, "/recipe/steps/0/start", "json.invalid"),
        ({"recipe": ["[" * 100]}, "/recipe", "json.too_deep"),
        ({"recipe": ["[]"]}, "/recipe", "recipe.invalid"),
        ({"recipe": ["5"]}, "/recipe", "recipe.invalid"),
        ({"recipe": ["null", "null"]}, "/recipe", "request.invalid"),
        ({"title": ["x" * 301]}, "/title", "request.invalid"),
        ({"tags": ["x" * 65]}, "/tags/0", "request.invalid"),
        ({"metadata": ['{"a": 1}']}, "/metadata/a", "request.invalid"),
        ({"metadata": ["[]"]}, "/metadata", "request.invalid"),
        ({"priority": ["high"]}, "/priority", "request.invalid"),
        ({"priority": ["101"]}, "/priority", "request.invalid"),
        ({"priority": ["٣"]}, "/priority", "request.invalid"),
    ],
)
def test_a_bad_field_is_pointed_at(fields: dict[str, list[str]], pointer: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wishes_from_form(fields)

    assert refused.value.code == code
    assert refused.value.errors[0].pointer == pointer


@pytest.mark.parametrize("fields", [{"priority": "5"}, {"priority": True}, {"tags": "a"}, {"titel": "x"}])
def test_json_is_not_bent_into_shape(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        wishes_from_json(fields)
