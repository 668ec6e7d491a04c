"""Run a step as the worker's child does, without the child."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from moviola.messages import Limits
from moviola.plan import PROBE_PASS, Edit, Operation, Poster, Span
from moviola.probe import Probe
from moviola.recipe import Output
from moviola_workers.job import Job, JobResult
from moviola_workers.steps.table import STEPS

FAST = Output(preset="ultrafast", quality=12)


class Bench:
    """Steps on files below a directory of the test's own; ``progress`` is what the last one reported."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.progress: list[float] = []

    def run(self, job: Job) -> JobResult:
        self.progress = []
        return STEPS[job.kind](job, self.progress.append)

    def probe(self, source: Path, limits: Limits | None = None) -> Probe:
        job = Job(
            kind="probe",
            parameters=PROBE_PASS.parameters,
            source=source,
            scratch=self.directory,
            limits=limits or Limits(),
        )
        facts = self.run(job).probe
        assert facts is not None
        return facts

    def edit(
        self,
        source: Path,
        *spans: tuple[float, float],
        picture: tuple[Operation, ...] = (),
        size: tuple[int, int] | None = None,
        mute: bool = False,
        copy_packets: bool = False,
        resources: Mapping[str, Path] | None = None,
        limits: Limits | None = None,
    ) -> Path:
        width, height = size or (160, 96)
        kept = tuple(Span(start=start, end=end) for start, end in spans)
        edit = Edit(
            spans=kept or None,
            picture=picture,
            mute=mute,
            copy_packets=copy_packets,
            output=FAST,
            width=width,
            height=height,
            duration=sum(end - start for start, end in spans) or 2.0,
        )
        job = Job(
            kind="render",
            parameters=edit,
            source=source,
            scratch=self.directory,
            resources=resources or {},
            limits=limits or Limits(),
        )
        (made,) = self.run(job).made
        assert made.name == "result.mp4"
        assert made.path == self.directory / "result.mp4"
        return made.path

    def poster(
        self, source: Path, at: float | None = None, bounds: tuple[int | None, int | None] = (None, None)
    ) -> Path:
        wish = Poster(at=at, width=bounds[0], height=bounds[1])
        job = Job(kind="thumbnails", parameters=wish, source=source, scratch=self.directory)
        (made,) = self.run(job).made
        assert made.content_type == "image/jpeg"
        return made.path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    directory = tmp_path / "scratch"
    directory.mkdir()
    return Bench(directory)


@pytest.fixture
def clip_path(tmp_path: Path) -> Callable[[str], Path]:
    """Where a clip of that name may be written."""
    return tmp_path.joinpath
