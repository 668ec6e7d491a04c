"""The step ``package``: an HLS package where no other pass makes it along the way."""

from moviola.plan import HLS, Package
from moviola_workers.engine.hls import write_package
from moviola_workers.engine.rendering import render
from moviola_workers.engine.renditions import Renditions
from moviola_workers.job import Job, JobResult, Report


def package(job: Job, report: Report) -> JobResult:
    """Make all files of the ladder by one decode."""
    parameters = job.parameters
    if not isinstance(parameters, Package):
        raise TypeError(f"Packaging needs the parameters of a package, not of {parameters.task!r}.")
    renditions = Renditions(parameters.ladder, job.scratch / HLS)
    end = render(job, parameters.edit, None, report, renditions)
    return JobResult(made=write_package(renditions, job.resources, end))
