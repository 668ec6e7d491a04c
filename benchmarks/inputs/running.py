"""A recipe done on a file as the system has it done: planned, and every pass by a confined child of a worker's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviola.plan import PROBE_PASS, Pass, Plan, is_result
from moviola.planner import compile_plan
from moviola.probe import Probe
from moviola.recipe import parse_recipe
from moviola.settings import Settings
from moviola_workers.child_process import Child, ChildProgram
from moviola_workers.job import Job, JobResult


@dataclass(frozen=True, slots=True)
class Done:
    """The result, and the plan that led to it."""

    result: Path
    plan: Plan


def facts_of(source: Path, scratch: Path) -> Probe:
    """Below *scratch*, an empty directory; ``TaskFailure`` where the file is refused."""
    facts = asyncio.run(_in_child(PROBE_PASS, {"original": source}, scratch)).probe
    if facts is None:
        raise RuntimeError("the probe gave no facts")
    return facts


def done(source: Path, facts: Probe, scratch: Path, steps: Sequence[dict[str, object]]) -> Done:
    """Each pass below *scratch*; ``TaskFailure`` where it can't be done."""
    # Near to the source, so that a wrong picture stands out.
    recipe = parse_recipe({"steps": list(steps), "output": {"preset": "ultrafast", "quality": 8}})
    plan, made = compile_plan(recipe, facts), {"original": source}
    for one in plan.passes:
        folder = scratch / one.name
        folder.mkdir()
        files = asyncio.run(_in_child(one, made, folder)).made
        if files:  # a pass that only looks at the result makes none
            made[one.name] = files[0].path
    return Done(result=next(path for path in made.values() if is_result(path.name)), plan=plan)


async def _in_child(one: Pass, made: dict[str, Path], scratch: Path) -> JobResult:
    job = Job(
        kind=one.kind,
        parameters=one.parameters,
        source=made[one.source],
        resources={name: made[name] for name in one.needs},
        scratch=scratch,
        files=one.files,
    )
    child = await Child.start(ChildProgram(), Settings())
    try:
        return await child.run(job, lambda _: None)
    finally:
        await child.end()
