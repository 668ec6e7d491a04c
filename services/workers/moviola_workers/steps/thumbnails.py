"""The step ``thumbnails``: cut the poster."""

from moviola.plan import POSTER, Poster
from moviola_workers.engine.poster import make_poster
from moviola_workers.job import Job, JobResult, MadeFile, Report

JPEG = "image/jpeg"


def thumbnails(job: Job, report: Report) -> JobResult:
    """Make ``poster.jpg``."""
    parameters = job.parameters
    if not isinstance(parameters, Poster):
        raise TypeError(f"A poster needs the parameters of a poster, not of {parameters.task!r}.")
    name = job.files[0] if job.files else POSTER
    target = job.scratch / name
    make_poster(job, parameters.at, target, report)
    return JobResult(made=(MadeFile(name=name, path=target, content_type=JPEG),))
