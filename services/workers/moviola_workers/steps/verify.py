"""The step ``verify``: hold what the other passes made against what the plan expects."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from moviola.errors import TaskFailure
from moviola.quality import Check, ExpectedImage, ExpectedVideo, Quality, Verify
from moviola_workers.engine.gauging import Gauge, gauge
from moviola_workers.engine.inspection import inspect
from moviola_workers.job import Job, JobResult, Report


def verify(job: Job, report: Report) -> JobResult:
    """The report on all that is expected; a result that fails a check is no failure of this step."""
    parameters = job.parameters
    if not isinstance(parameters, Verify):
        raise TypeError(f"Verifying needs the parameters of a verification, not of {parameters.task!r}.")
    checks: list[Check] = []
    for number, video in enumerate(parameters.videos):

        def told(done: float, begun: int = number) -> None:
            report((begun + done) / len(parameters.videos))

        checks.extend(_of_video(job, video, told, every_frame=parameters.every_frame))
    checks.extend(_of_image(image, job.resources[image.resource]) for image in parameters.images)
    report(1.0)
    return JobResult(quality=Quality(checks=tuple(checks), every_frame=parameters.every_frame))


def _of_video(job: Job, expected: ExpectedVideo, report: Report, *, every_frame: bool) -> Iterator[Check]:
    path = job.source if expected.resource is None else job.resources[expected.resource]
    to, said = Gauge(expected.name), "a whole video"
    try:
        copied = expected.picture.copied
        found = inspect(path, job.limits, report, every_frame=every_frame, copied=copied)
    except TaskFailure as failure:
        # Codes of the media are about what clients upload; here they are about what we made.
        if not failure.code.startswith("media."):
            raise
        yield to.check("readable", False, said, failure)
    else:
        yield to.check("readable", True, said, said)
        yield from gauge(expected, found, every_frame=every_frame)


def _of_image(expected: ExpectedImage, path: Path) -> Check:
    try:
        with Image.open(path) as image:
            image.load()
            found = f"{image.width}×{image.height}"
            # A pixel is lost or won where the result's own size was rounded.
            fits = max(abs(image.width - expected.width), abs(image.height - expected.height)) <= 1
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        found, fits = f"unreadable ({error})", False
    size = f"{expected.width}×{expected.height}"
    return Gauge(expected.name).check("picture_size", fits, size, found)
