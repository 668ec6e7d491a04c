"""Walk a plan as the orchestrator has it done, pass after pass, without any service."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moviola.plan import PROBE_PASS, Plan, is_result
from moviola.planner import compile_plan
from moviola.quality import Quality
from moviola.recipe import parse_recipe
from moviola_workers.job import Job, JobResult
from moviola_workers.steps.table import STEPS


class Walk:
    """``results`` are what each pass made, by its name."""

    def __init__(
        self,
        source: Path,
        directory: Path,
        *steps: dict[str, object],
        resources: Mapping[str, Path] | None = None,
        fusion: bool = True,
        **output: object,
    ) -> None:
        self._directory = directory
        self.results: dict[str, JobResult] = {}
        self.progress: dict[str, list[float]] = {}
        facts = self._do(Job(kind="probe", parameters=PROBE_PASS.parameters, source=source, scratch=directory), "probe")
        assert facts.probe is not None
        recipe = parse_recipe({"steps": list(steps), "output": {"preset": "ultrafast", **output}})
        self.plan: Plan = compile_plan(recipe, facts.probe, fusion=fusion)
        made = {"original": source}
        for one in self.plan.passes:
            scratch = directory / one.name
            scratch.mkdir()
            job = Job(
                kind=one.kind,
                parameters=one.parameters,
                source=made[one.source],
                resources={**(resources or {}), **{name: made[name] for name in one.needs}},
                scratch=scratch,
                files=one.files,
                encoder_threads=2,
            )
            result = self._do(job, one.name)
            if result.made:
                made[one.name] = result.made[0].path

    def _do(self, job: Job, name: str) -> JobResult:
        self.progress[name] = []
        self.results[name] = STEPS[job.kind](job, self.progress[name].append)
        return self.results[name]

    @property
    def result(self) -> Path:
        return next(
            made.path for one in self.plan.passes for made in self.results[one.name].made if is_result(made.name)
        )

    @property
    def quality(self) -> Quality:
        """What the last pass found of it."""
        quality = self.results["verify"].quality
        assert quality is not None
        return quality


def ffprobe(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The container and the streams, packets counted, as another FFmpeg than ours reads them."""
    command = ["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found["format"], found["streams"]
