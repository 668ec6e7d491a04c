"""What a user asks for: an ordered list of steps, and the form of the result.

``parse_recipe`` is the one door: whatever comes through it is valid by itself. Whether it also fits a certain
video (a ``start`` beyond its end) only the planner can say.
"""

import json
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from moviola import strict_json
from moviola.errors import FieldError, InvalidInput, InvalidRecipe
from moviola.marking import Color, Font, Outline, OutlineOrNull, Place, Position
from moviola.output import Output as Output  # the recipe's own word; whoever knows recipes finds it here
from moviola.packaging import Package as Package

MAX_SECONDS = 6 * 3600.0
MAX_SIDE = 16384

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False, strict=True)]
Side = Annotated[int, Field(ge=2, le=MAX_SIDE, strict=True)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)]


class Strict(BaseModel):
    """Frozen, and an unknown field is an error: a misspelt wish must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeRange(Strict):
    """From ``start`` (inclusive) to ``end`` (exclusive), in seconds; no ``end`` means the end of the video."""

    start: Seconds = 0.0
    end: Seconds | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.end is not None and self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class Trim(Strict):
    """Keep a part: ``start`` and ``end``, or a list ``keep`` of ranges to keep, or a list ``cut`` of ranges to drop."""

    step: Literal["trim"] = "trim"
    start: Seconds | None = None
    end: Seconds | None = None
    keep: tuple[TimeRange, ...] | None = Field(default=None, min_length=1, max_length=100)
    cut: tuple[TimeRange, ...] | None = Field(default=None, min_length=1, max_length=100)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        bounds = self.start is not None or self.end is not None
        if bounds + (self.keep is not None) + (self.cut is not None) != 1:
            raise ValueError("give either start and/or end, or keep, or cut")
        if bounds and self.end is not None and (self.start or 0.0) >= self.end:
            raise ValueError("start must be before end")
        for one, following in pairwise(self.keep or self.cut or ()):
            if one.end is None or one.end > following.start:
                raise ValueError("ranges must be in order and must not overlap")
        return self


class Resize(Strict):
    """Scale to ``width``, ``height`` or both; with both, ``fit`` says what happens to another shape.

    ``contain`` letterboxes, ``cover`` crops, ``stretch`` distorts. The canvas is exact; the picture in it is not
    enlarged unless ``upscale`` is true.
    """

    step: Literal["resize"] = "resize"
    width: Side | None = None
    height: Side | None = None
    fit: Literal["contain", "cover", "stretch"] = "contain"
    upscale: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _some_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("give width, height or both")
        return self


class Watermark(Strict):
    """Lay ``text`` or ``image`` over the picture.

    ``image`` is a stored watermark's id, or ``"watermark"`` for the part of that name in the same request. ``font``,
    ``color`` and ``outline`` (null: none) are a text's. ``scale`` is the mark's width (image) or height (text)
    relative to the picture's.

    It lies at ``position``, ``margin`` pixels from the edge; or at ``x`` and ``y``, in pixels or percent of the picture
    from the left and the top, where negative from the right and the bottom. ``tile`` repeats it from there over the
    whole picture, with gaps of ``spacing`` times its height.

    It is seen from ``start`` (inclusive) to ``end`` (exclusive), in seconds of the video as it stands at this step;
    within that time it appears and vanishes over ``fade`` seconds.
    """

    step: Literal["watermark"] = "watermark"
    text: str | None = Field(default=None, min_length=1, max_length=200)
    image: str | None = Field(default=None, min_length=1, max_length=64)
    font: Font = "bold"
    color: Color = "#ffffff"
    outline: OutlineOrNull = Outline()
    position: Position = "bottom-right"
    x: Place | None = None
    y: Place | None = None
    margin: Annotated[int, Field(ge=0, le=4096, strict=True)] = 20
    opacity: Fraction = 0.8
    scale: Fraction | None = None
    tile: bool = Field(default=False, strict=True)
    spacing: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False, strict=True)] = 1.0
    start: Seconds | None = None
    end: Seconds | None = None
    fade: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False, strict=True)] = 0.0

    @field_validator("font", "color", "outline", mode="after")
    @classmethod
    def _of_a_text(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("image") is not None and value != cls.model_fields[info.field_name or ""].default:
            raise ValueError("only a text has a font, a colour and an outline")
        return value

    @field_validator("x", "y", mode="after")
    @classmethod
    def _one_place(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("position") != cls.model_fields["position"].default:
            raise ValueError("give either position, or x and y")
        return value

    @field_validator("end", mode="after")
    @classmethod
    def _some_time(cls, end: float | None, info: ValidationInfo) -> float | None:
        if end is not None and (info.data.get("start") or 0.0) >= end:
            raise ValueError("start must be before end")
        return end

    @model_validator(mode="after")
    def _text_or_image(self) -> Self:
        if (self.text is None) == (self.image is None):
            raise ValueError("give either text or image")
        if (self.x is None) != (self.y is None):
            raise ValueError("give both x and y")
        return self


class Mute(Strict):
    """Remove the sound."""

    step: Literal["mute"] = "mute"


class Normalize(Strict):
    """Bring the sound to ``target`` LUFS (EBU R128), its true peak to -1 dBTP at most."""

    step: Literal["normalize"] = "normalize"
    target: Annotated[float, Field(ge=-70, le=-5, allow_inf_nan=False, strict=True)] = -16.0


class Downmix(Strict):
    """Mix the sound down to stereo or mono; sound of no more channels stays as it is."""

    step: Literal["downmix"] = "downmix"
    channels: Annotated[int, Field(ge=1, le=2, strict=True)] = 2


class StoryboardWish(Strict):
    """A still every ``interval`` seconds, or ``count`` of them evenly; neither: at round distances, a hundred at most.

    Each is at most ``width`` pixels wide; ``columns`` of them stand side by side in a sprite.
    """

    interval: Annotated[float, Field(ge=0.1, le=MAX_SECONDS, allow_inf_nan=False, strict=True)] | None = None
    count: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    width: Annotated[int, Field(ge=16, le=640, strict=True)] = 160
    columns: Annotated[int, Field(ge=1, le=25, strict=True)] = 10

    @field_validator("count", mode="after")
    @classmethod
    def _one_measure(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count is not None and info.data.get("interval") is not None:
            raise ValueError("give either interval or count")
        return count


class PreviewWish(Strict):
    """``scenes`` evenly spread over the video, ``seconds`` long in all, at most ``width`` pixels wide."""

    seconds: Annotated[float, Field(ge=0.2, le=10, allow_inf_nan=False, strict=True)] = 4.0
    scenes: Annotated[int, Field(ge=1, le=10, strict=True)] = 4
    width: Annotated[int, Field(ge=16, le=480, strict=True)] = 320
    frames_per_second: Annotated[float, Field(ge=1, le=15, allow_inf_nan=False, strict=True)] = 10.0


def _wish_of(value: object) -> object:
    """``true`` asks for the usual one, ``false`` for none."""
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | StoryboardWish | PreviewWish):
        raise ValueError("give true, false or an object")
    return value


class Thumbnails(Strict):
    """Stills of the result: a poster, on wish a storyboard (sprites with WebVTT) and an animated preview.

    The poster shows the second ``at``, or the best of a few candidates; ``width`` and ``height`` bound its size.
    """

    step: Literal["thumbnails"] = "thumbnails"
    poster: bool = Field(default=True, strict=True)
    at: Seconds | None = None
    width: Side | None = None
    height: Side | None = None
    storyboard: Annotated[
        StoryboardWish | None, BeforeValidator(_wish_of, json_schema_input_type=bool | StoryboardWish | None)
    ] = None
    preview: Annotated[
        PreviewWish | None, BeforeValidator(_wish_of, json_schema_input_type=bool | PreviewWish | None)
    ] = None

    @field_validator("at", "width", "height", mode="after")
    @classmethod
    def _of_a_poster(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("poster") is False:
            raise ValueError("only a poster has a time and a size of its own")
        return value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.products:
            raise ValueError("ask for a poster, a storyboard or a preview")
        return self

    @property
    def products(self) -> tuple[str, ...]:
        """What it makes, in words."""
        asked = {"poster": self.poster, "storyboard": self.storyboard, "preview": self.preview}
        return tuple(name for name, wish in asked.items() if wish)


Step = Annotated[
    Trim | Resize | Watermark | Mute | Downmix | Normalize | Thumbnails | Package, Field(discriminator="step")
]


class Recipe(Strict):
    """An ordered list of steps and the form of the result; no steps at all means: convert to that form."""

    version: Literal[1] = 1
    steps: tuple[Step, ...] = Field(max_length=50)
    output: Output = Output()

    @field_validator("steps", mode="after")
    @classmethod
    def _one_of_each(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        products = [name for step in steps if isinstance(step, Thumbnails) for name in step.products]
        if twice := next((name for name in products if products.count(name) > 1), None):
            raise ValueError(f"a recipe makes one {twice}; several steps ask for it")
        if sum(isinstance(step, Package) for step in steps) > 1:
            raise ValueError("a recipe has one step package at most")
        return steps

    @property
    def images(self) -> tuple[str, ...]:
        """The images that it calls by the ids under which they are stored."""
        return tuple(step.image for step in self.steps if isinstance(step, Watermark) and step.image is not None)


STEP_NAMES = ("trim", "resize", "watermark", "mute", "downmix", "normalize", "thumbnails", "package")

SHOWCASE = Recipe(
    steps=(
        Trim(start=0, end=30),
        Resize(width=1280, height=720),
        Watermark(text="Moviola"),
        Mute(),
        Thumbnails(),
    )
)
BUILT_IN = {"showcase": SHOWCASE}


def parse_recipe(source: str | bytes | object) -> Recipe:
    """The recipe in JSON text, or in a value already parsed; ``InvalidRecipe`` with a pointer to each bad field."""
    try:
        value = strict_json.parse(source) if isinstance(source, str | bytes) else source
        strict_json.refuse_non_finite(value)
        # Validated as JSON, where a list is a tuple and 5 is a float, yet "5" is not.
        return Recipe.model_validate_json(json.dumps(value))
    except InvalidInput as error:
        raise InvalidRecipe(f"The recipe can't be read. {error}", error.errors, code=error.code) from error
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidRecipe(f"The recipe is not valid: {errors[0].message}", errors) from error
    except TypeError as error:
        raise InvalidRecipe("The recipe holds a value that JSON has not.") from error


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each complaint of pydantic's with the RFC 6901 pointer into what the client sent."""
    return [
        FieldError(pointer=_pointer(item["loc"]), message=_sentence(item), code=item["type"])
        for item in error.errors(include_url=False, include_input=False)
    ]


def _pointer(location: tuple[int | str, ...]) -> str:
    parts: list[str] = []
    for part in location:
        # pydantic names the chosen member of a union ("trim") in the path; the document has no such level.
        if part in STEP_NAMES and parts and parts[-1].isdigit():
            continue
        parts.append(strict_json.escape(str(part)))
    return "".join("/" + part for part in parts)


def _sentence(item: ErrorDetails) -> str:
    if item["type"] == "union_tag_invalid":
        return f"There is no step {item['ctx']['tag']!r}; the steps are {', '.join(STEP_NAMES)}."
    return item["msg"].removeprefix("Value error, ")
