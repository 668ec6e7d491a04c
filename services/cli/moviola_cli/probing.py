"""`moviola probe`: what there is to know of a file, read in the same confined process as a worker's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import BadUse

if TYPE_CHECKING:
    from moviola.probe import Loudness, Probe
    from moviola_workers.job import Job, JobResult

USUAL_TARGET = -16.0


def probe(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The video.")],
    loudness: Annotated[
        bool, typer.Option("--loudness", help="Measure the sound too (EBU R128), which reads all of it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")] = False,
) -> None:
    """Tell what is in a video file, and what is unusual about it."""
    from moviola_cli.facts_listing import facts_lines
    from moviola_cli.interrupts import run_interruptible

    if not source.is_file():
        raise BadUse(f"{source} is not a file." if source.exists() else f"There is no file {source}.")
    facts = run_interruptible(_read(source.absolute(), loudness=loudness))
    if as_json:
        typer.echo(facts.model_dump_json(indent=2))
        return
    for name, value in facts_lines(facts):
        typer.echo(f"{name:<9} {value}")


async def _read(source: Path, *, loudness: bool) -> "Probe":
    from moviola.plan import PROBE_PASS
    from moviola_workers.job import Job

    result = await _done(Job(kind="probe", parameters=PROBE_PASS.parameters, source=source, scratch=Path()))
    facts = result.probe
    if facts is None:
        raise AssertionError("a probe that succeeds has facts")
    if not loudness or not facts.audio:
        return facts
    return facts.model_copy(update={"loudness": await _loudness(source, facts)})


async def _loudness(source: Path, facts: "Probe") -> "Loudness | None":
    from moviola.plan import Measure
    from moviola_workers.job import Job

    wanted = Measure(target=USUAL_TARGET, duration=facts.duration)
    return (await _done(Job(kind="measure", parameters=wanted, source=source, scratch=Path()))).loudness


async def _done(job: "Job") -> "JobResult":
    """The job done by a child of its own, in a directory that lives only for it."""
    import tempfile

    from moviola_cli.effective_settings import effective_settings
    from moviola_workers.child_process import Child, ChildProgram

    settings = effective_settings({}, preset={"log_level": "error"}).settings
    with tempfile.TemporaryDirectory(prefix="moviola-") as scratch:
        child = await Child.start(ChildProgram(), settings)
        try:
            return await child.run(job.model_copy(update={"scratch": Path(scratch)}), lambda done: None)
        finally:
            await child.end()
