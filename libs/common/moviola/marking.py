"""The words of a watermark: fonts, colours, places. Types with their checks, of which the recipe's step is made."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

Font = Literal["bold", "regular", "mono", "serif"]
Position = Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]
Color = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?$")]

FARTHEST = 16384
_PERCENT = re.compile(r"-?(?:\d{1,2}(?:\.\d{1,6})?|100)%", re.ASCII)


def _place(value: object) -> int | str:
    """An ``x`` or ``y``; any other value is a ``ValueError``."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= FARTHEST:
        return value
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        return value
    raise ValueError(f"give whole pixels (-{FARTHEST} to {FARTHEST}) or a percentage of the picture, like '12.5%'")


# A union would put the names of its members into the pointer of each error.
Place = Annotated[
    int | str,
    PlainValidator(_place),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": -FARTHEST, "maximum": FARTHEST},
                {"type": "string", "pattern": f"^{_PERCENT.pattern}$"},
            ]
        }
    ),
]


class Outline(BaseModel):
    """The edge around letters; ``width`` is relative to the height of the font, 0 means none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    color: Color = "#000000a0"
    width: Annotated[float, Field(ge=0, le=0.25, allow_inf_nan=False, strict=True)] = 0.042


NO_OUTLINE = Outline(width=0)


def _null_is_none(value: object) -> object:
    # What is stored must survive being written without its nulls.
    return NO_OUTLINE if value is None else value


OutlineOrNull = Annotated[Outline, BeforeValidator(_null_is_none, json_schema_input_type=Outline | None)]
