"""A recipe planned for a file, as a job that a process of the engine's own can run."""

import sys
from pathlib import Path

from benchmarks import usage
from benchmarks.usage import Usage
from moviola.messages import Limits
from moviola.plan import PROBE_PASS, Pass
from moviola.planner import compile_plan
from moviola.recipe import parse_recipe
from moviola_workers.job import Job
from moviola_workers.steps.table import STEPS


def only_pass(recipe: dict[str, object], clip: Path, folder: Path) -> Pass:
    """The one pass that *recipe* is for that file, without the look at its result behind it."""
    probe = Job(kind="probe", parameters=PROBE_PASS.parameters, source=clip, scratch=folder, limits=Limits())
    facts = STEPS["probe"](probe, lambda _: None).probe
    if facts is None:
        raise RuntimeError("the probe gave no facts")
    one, *_ = compile_plan(parse_recipe(recipe), facts).passes
    return one


def run(job: Job, folder: Path) -> Usage:
    """What a process costs that does the job and nothing else, from its start to its end."""
    path = folder / "job.json"
    path.write_text(job.model_dump_json())
    return usage.run([sys.executable, "-m", "benchmarks.one_pass", str(path)])
