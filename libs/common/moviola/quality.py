"""The quality gate's words: what a result is expected to be like, and what was found. Pure data.

The planner says what to expect, from the recipe and the facts of the source alone; a worker holds the finished result
against it. Seconds are on the result's own clock, which begins at 0.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from moviola.output import AudioCodec, Container, VideoCodec

Level = Literal["error", "warning"]


class _Frozen(BaseModel):
    """Unknown fields are ignored, so that an older service reads a newer worker's report."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Check(_Frozen):
    """One thing that was looked at; ``name`` is stable. One of the level ``warning`` that is not ``ok`` fails nothing:
    the source itself may be the reason.
    """

    name: str
    ok: bool
    level: Level = "error"
    expected: str
    found: str
    file: str

    def sentence(self) -> str:
        """What was found in the place of what, without a full stop."""
        return f"{self.file}: {self.name} is {self.found} instead of {self.expected}"


class Quality(_Frozen):
    """The report on a run's results. ``every_frame`` says that all of it was decoded, and not only samples."""

    checks: tuple[Check, ...]
    every_frame: bool = False

    @property
    def failed(self) -> Sequence[Check]:
        return [check for check in self.checks if not check.ok and check.level == "error"]

    @property
    def warnings(self) -> Sequence[Check]:
        return [check for check in self.checks if not check.ok and check.level == "warning"]

    @property
    def ok(self) -> bool:
        return not self.failed

    def complaint(self) -> str:
        """Each failed check with its figures, in one sentence."""
        return f"The result did not pass its checks: {'; '.join(one.sentence() for one in self.failed)}."


class ExpectedPicture(_Frozen):
    """``width`` × ``height`` are as displayed, in square pixels. ``frames`` are the fewest and the most pictures.

    ``copied``: packets are the source's own, so that their oddities are its oddities. ``longest_gap`` is the longest
    time between pictures that the source accounts for. None: not known beforehand.
    """

    codec: VideoCodec
    width: int
    height: int
    pixel_formats: tuple[str, ...]
    copied: bool = False
    starts: float | None = 0.0
    frames: tuple[int, int] | None = None
    longest_gap: float | None = None


class ExpectedSound(_Frozen):
    """``ends`` is when the sound ends, ``cut`` that it must not be longer than the picture. None: not known."""

    codec: AudioCodec
    channels: int | None = None
    sample_rates: tuple[int, ...] = ()
    copied: bool = False
    starts: float | None = 0.0
    ends: float | None = None
    cut: bool = False


class ExpectedVideo(_Frozen):
    """A result with picture; ``sound`` None: it must have none. It is the task's source, or its resource of that name.

    ``duration`` is the time from second 0 to the end of the picture.
    """

    name: str
    resource: str | None = None
    container: Container
    duration: float
    picture: ExpectedPicture
    sound: ExpectedSound | None


class ExpectedImage(_Frozen):
    """A still picture of that size: the task's resource of that name."""

    name: str
    resource: str
    width: int
    height: int


class Verify(_Frozen):
    """Hold the results against what they should be; ``every_frame``: decode all, and not only samples."""

    task: Literal["verify"] = "verify"
    videos: tuple[ExpectedVideo, ...]
    images: tuple[ExpectedImage, ...] = ()
    every_frame: bool = False
