"""Files through the child that a worker would use: confined, on its own, one job each; and what it cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moviola.errors import TaskFailure
from moviola.messages import Limits
from moviola.plan import PROBE_PASS, Edit, Kind, Parameters, Poster
from moviola.probe import Probe
from moviola.recipe import Output
from moviola.settings import Settings
from moviola_workers.child_process import Child, ChildProgram
from moviola_workers.job import Job, JobResult

HERE = Path(__file__).parent
MEASURED = ChildProgram("measured_steps", (str(HERE),))
SERIES = ChildProgram("series_steps", (str(HERE),))
CAPTIVE = ChildProgram("captive_steps", (str(HERE),))
EDIT = Edit(output=Output(preset="ultrafast", quality=18), width=160, height=96, duration=2.0)
SECONDS_BY_LAW = 10.0


@dataclass(frozen=True)
class End:
    """How a job ended; ``code`` is None where it succeeded. ``peak`` is the child's memory, ``grown`` what the job
    added to it, in MB; ``seconds`` of processor time are those of the job alone.
    """

    code: str | None
    permanent: bool = False
    message: str = ""
    result: JobResult = field(default_factory=JobResult)
    peak: float = 0.0
    grown: float = 0.0
    seconds: float = 0.0

    @property
    def probe(self) -> Probe:
        assert self.result.probe is not None, (self.code, self.message)
        return self.result.probe

    @property
    def file(self) -> Path:
        assert self.code is None, (self.code, self.message)
        return self.result.made[0].path


class Ward:
    """Runs jobs below *place*, each in a fresh child."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._count = 0
        self._scratch = place
        self.sandbox: frozenset[str] = frozenset()

    async def probe(self, source: Path, limits: Limits | None = None) -> End:
        return await self.run("probe", PROBE_PASS.parameters, source, limits)

    async def edit(self, source: Path, edit: Edit = EDIT, limits: Limits | None = None) -> End:
        return await self.run("render", edit, source, limits)

    async def poster(self, source: Path, limits: Limits | None = None) -> End:
        return await self.run("thumbnails", Poster(), source, limits)

    async def probe_all(self, sources: Mapping[str, Path], limits: Limits | None = None) -> dict[str, End]:
        """All of them through one child, one after the other; ``peak`` is the most memory that it had so far."""
        parameters = PROBE_PASS.parameters
        end = await self.run("probe", parameters, next(iter(sources.values())), limits, SERIES, resources=sources)
        assert end.code is None, end.message
        words = map(json.loads, (self._scratch / "said").read_text().splitlines())
        return {
            word["ended"]: End(
                word["code"], word["permanent"], word["message"], seconds=word["processor"], peak=word["peak"]
            )
            for word in words
            if "ended" in word
        }

    async def run(
        self,
        kind: Kind,
        parameters: Parameters,
        source: Path,
        limits: Limits | None = None,
        program: ChildProgram = MEASURED,
        *,
        resources: Mapping[str, Path] | None = None,
    ) -> End:
        """``TaskFailure`` becomes a code; anything else that the child does to us is an error of the test."""
        self._count += 1
        self._scratch = scratch = self._place / f"scratch-{self._count}"
        scratch.mkdir()
        job = Job(
            kind=kind,
            parameters=parameters,
            source=source,
            resources=resources or {},
            scratch=scratch,
            limits=limits or Limits(),
        )
        child = await Child.start(program, Settings(data_dir=self._place))
        self.sandbox = frozenset(child.sandbox.in_force)
        try:
            result = await child.run(job, lambda done: None)
        except TaskFailure as failure:
            return End(failure.code, failure.permanent, str(failure), **_cost(scratch))
        finally:
            await child.end()
        return End(None, result=result, **_cost(scratch))


def _cost(scratch: Path) -> dict[str, float]:
    # A child that was killed has left none.
    said = scratch / "cost"
    names = ("peak", "grown", "seconds")
    return dict(zip(names, map(float, said.read_text().split()), strict=True)) if said.exists() else {}
