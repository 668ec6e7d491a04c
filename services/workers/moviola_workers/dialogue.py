"""What a child says to its worker, one JSON object a line on a descriptor of its own.

A child is not trusted: it may have been taken over by the file that it decodes. So every word is validated on arrival.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from moviola_workers.job import JobResult

# A child that ran out of memory can't be asked to build a sentence: it says so with its exit status.
OUT_OF_MEMORY_STATUS = 86
MAX_MESSAGE = 1000


class Said(BaseModel):
    """Base of all words of the child's."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Ready(Said):
    """It is confined and has loaded its steps; it waits for its one job."""

    word: Literal["ready"] = "ready"
    in_force: tuple[str, ...] = ()
    unavailable: Mapping[str, str] = Field(default_factory=dict)


class Moved(Said):
    """It got on since it last said so; ``done`` from 0 to 1."""

    word: Literal["moved"] = "moved"
    done: float = Field(ge=0, le=1, allow_inf_nan=False)


class Made(Said):
    """It is done."""

    word: Literal["made"] = "made"
    result: JobResult


class Failed(Said):
    """It gave up, for a reason with a stable code."""

    word: Literal["failed"] = "failed"
    code: str = Field(pattern=r"^(media|recipe|worker|storage)\.[a-z0-9_]{1,60}$")
    message: str = Field(max_length=MAX_MESSAGE)
    permanent: bool


Word = Ready | Moved | Made | Failed
_WORDS: TypeAdapter[Word] = TypeAdapter(Annotated[Word, Field(discriminator="word")])


def parse_word(line: bytes) -> Word:
    """The word in *line*; ``ValueError`` where it is none."""
    return _WORDS.validate_json(line)
