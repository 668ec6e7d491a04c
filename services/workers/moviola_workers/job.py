"""What the worker hands to its child process, and what comes back: JSON both ways, files by path.

The child knows no bus, no bucket and no database; it reads ``source``, writes below ``scratch`` and reports progress.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from moviola.messages import Limits
from moviola.plan import Kind, Parameters
from moviola.probe import Loudness, Probe
from moviola.quality import Quality

Remark = Annotated[str, Field(max_length=300)]


class Job(BaseModel):
    """One task, with its input already on the local disk. ``scratch`` is an empty directory of the task's own.

    ``resources`` are the files that an ``Overlay.image`` or ``SoundWork.measured`` names. ``files`` are the names
    wanted, as in the plan's pass; an editing pass in the middle of a chain has none and makes one file all the same.
    ``encoder_threads`` 0: as many as fit.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    parameters: Parameters
    source: Path
    resources: Mapping[str, Path] = Field(default_factory=dict)
    scratch: Path
    files: tuple[str, ...] = ()
    limits: Limits = Limits()
    encoder_threads: int = 0


class MadeFile(BaseModel):
    """A file that the job made below its scratch directory."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: Path
    content_type: str


class JobResult(BaseModel):
    """What a job made: files, for a probe the facts, for a measurement the figures, for a look at the results
    the report.

    ``remarks`` say what was not done as the plan has it.
    """

    model_config = ConfigDict(frozen=True)

    made: tuple[MadeFile, ...] = ()
    probe: Probe | None = None
    remarks: tuple[Remark, ...] = Field(default=(), max_length=10)
    loudness: Loudness | None = None
    quality: Quality | None = None


class Report(Protocol):
    """Called by a step as it goes on: ``done`` from 0 to 1. Cheap; may be called for every frame."""

    def __call__(self, done: float) -> None: ...
