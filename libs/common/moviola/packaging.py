"""The step ``package`` of a recipe: HLS with a ladder of sizes, and captions beside it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MOST_RUNGS = 8
MOST_CAPTIONS = 20

Height = Annotated[int, Field(ge=2, le=16384, strict=True)]
# RFC 5646 in what players understand of it: it becomes part of a file's name, and of an attribute in quotes.
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Label = Annotated[str, Field(min_length=1, max_length=60, pattern=r'^[^"\x00-\x1f\x7f-\x9f]+$')]
# A part's name in the request, and once that is stored the id of what was stored.
PartName = Annotated[str, Field(pattern=r"^(captions[A-Za-z0-9_-]{0,40}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]


class Captions(BaseModel):
    """Captions in a ``language``, shown to viewers as ``label`` (left out: the language).

    ``file`` is the name of a part of the same request, WebVTT or SRT, beginning with ``captions``. The times in it are
    the original's; what the recipe trims away is trimmed away from them too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Language
    label: Label | None = None
    file: PartName


class Package(BaseModel):
    """Package the result as HLS with fMP4 segments: ``hls/master.m3u8`` and all that it points to.

    ``heights`` are those of the ladder's pictures, in pixels; a height above the result's is dropped, and without any a
    ladder is chosen by the result's own size. Segments begin every ``segment_seconds``, at the same times in all
    renditions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Literal["package"] = "package"
    heights: tuple[Height, ...] | None = Field(default=None, min_length=1, max_length=MOST_RUNGS)
    segment_seconds: Annotated[float, Field(ge=1, le=20, allow_inf_nan=False, strict=True)] = 4.0
    captions: tuple[Captions, ...] = Field(default=(), max_length=MOST_CAPTIONS)

    @field_validator("captions")
    @classmethod
    def _one_a_language(cls, captions: tuple[Captions, ...]) -> tuple[Captions, ...]:
        if len({one.language.lower() for one in captions}) < len(captions):
            raise ValueError("two captions have the same language")
        return captions

    @model_validator(mode="after")
    def _different_heights(self) -> Self:
        if self.heights is not None and len(set(self.heights)) < len(self.heights):
            raise ValueError("a height is given twice")
        return self
