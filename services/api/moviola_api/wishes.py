"""What a client wants of a video: recipe, title, tags, metadata, priority; read from JSON or from form fields."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator

from moviola import strict_json
from moviola.errors import FieldError, InvalidInput, InvalidRecipe
from moviola.recipe import BUILT_IN, SHOWCASE, Recipe, field_errors, parse_recipe

Title = Annotated[str, StringConstraints(max_length=300, strip_whitespace=True)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=50)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=100)]
MetadataValue = Annotated[str, StringConstraints(max_length=1000)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)]
Priority = Annotated[int, Field(ge=-100, le=100, strict=True)]
RecipeJson = dict[str, JsonValue] | str | None


def without_repetition(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The same tags in their order, each once."""
    return tuple(dict.fromkeys(tags))


class Wishes(BaseModel):
    """All of it, checked; ``recipe`` None means: store and probe only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe | None = SHOWCASE
    title: Title = ""
    tags: Tags = ()
    metadata: Metadata = Field(default_factory=dict)
    priority: Priority = 0

    _once_each = field_validator("tags")(without_repetition)

    def with_recipe(self, recipe: Recipe | None) -> Self:
        """The same wishes with another recipe."""
        return self.model_copy(update={"recipe": recipe})


def requested_recipe(value: object, pointer: str = "/recipe") -> Recipe | None:
    """The recipe that a JSON value means: an object, the name of a known recipe, or null for none.

    ``InvalidRecipe``, with pointers below *pointer*.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if value in BUILT_IN:
            return BUILT_IN[value]
        message = f"There is no recipe named {value[:64]!r}; known are: {', '.join(sorted(BUILT_IN))}."
        raise InvalidRecipe(message, [FieldError(pointer, message, "unknown")], code="recipe.unknown")
    with recipe_at(pointer):
        return parse_recipe(value)


@contextmanager
def recipe_at(pointer: str = "/recipe") -> Iterator[None]:
    """Complaints about a recipe point into the document that holds it at *pointer*."""
    try:
        yield
    except InvalidRecipe as error:
        raise InvalidRecipe(str(error), _below(pointer, error.errors), code=error.code) from error


def _below(pointer: str, errors: tuple[FieldError, ...]) -> list[FieldError]:
    return [FieldError(pointer + one.pointer, one.message, one.code) for one in errors]


def wishes_from_json(fields: Mapping[str, object]) -> Wishes:
    """The wishes in a JSON object's members; ``InvalidInput`` with a pointer to each bad one."""
    given = dict(fields)
    recipe = requested_recipe(given.pop("recipe")) if "recipe" in given else SHOWCASE
    return _checked(given).with_recipe(recipe)


def wishes_from_form(fields: Mapping[str, list[str]]) -> Wishes:
    """The wishes in a form's fields: tags by comma or repetition, recipe and metadata as JSON."""
    given: dict[str, object] = {}
    for name, values in fields.items():
        if name == "tags":
            given[name] = [tag.strip() for value in values for tag in value.split(",") if tag.strip()]
        elif len(values) > 1:
            raise _bad_field(name, f"The field {name!r} is given more than once.", "repeated")
        else:
            given[name] = _field(name, values[0])
    return wishes_from_json(given)


def _field(name: str, text: str) -> object:
    match name:
        case "recipe":
            # A bare name is a name; everything else is JSON, "null" included.
            return text.strip() if _is_name(text.strip()) else _json(name, text)
        case "metadata":
            return _json(name, text)
        case "priority":
            if re.fullmatch(r"-?[0-9]{1,4}", text.strip()) is None:
                raise _bad_field(name, "The priority is a whole number from -100 to 100.", "int_parsing")
            return int(text)
        case _:
            return text


def _is_name(text: str) -> bool:
    return text.replace("-", "").replace("_", "").isalnum() and text != "null" and not text.isdecimal()


def _json(name: str, text: str) -> object:
    try:
        return strict_json.parse(text)
    except InvalidInput as error:
        errors = _below(f"/{name}", error.errors) or [FieldError(f"/{name}", str(error), error.code)]
        raise InvalidInput(f"The field {name!r} can't be read. {error}", errors, code=error.code) from error


def _bad_field(name: str, message: str, code: str) -> InvalidInput:
    return InvalidInput(message, [FieldError(f"/{strict_json.escape(name)}", message, code)])


def _checked(given: Mapping[str, object]) -> Wishes:
    try:
        return Wishes.model_validate(given)
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error
