"""The step ``measure``: how loud the sound is, for the pass that will change it."""

from moviola.plan import LOUDNESS, Measure
from moviola_workers.engine.loudness import measure as measure_sound
from moviola_workers.job import Job, JobResult, MadeFile, Report

JSON = "application/json"


def measure(job: Job, report: Report) -> JobResult:
    """Make ``loudness.json``, and tell the figures."""
    parameters = job.parameters
    if not isinstance(parameters, Measure):
        raise TypeError(f"Measuring needs the parameters of a measurement, not of {parameters.task!r}.")
    name = job.files[0] if job.files else LOUDNESS
    target = job.scratch / name
    loudness = measure_sound(job, parameters, report)
    target.write_text(loudness.model_dump_json(), encoding="utf-8")
    report(1.0)
    return JobResult(made=(MadeFile(name=name, path=target, content_type=JSON),), loudness=loudness)
