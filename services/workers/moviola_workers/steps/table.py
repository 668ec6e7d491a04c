"""Which function does which kind of task. Each runs in a child process of its own, synchronously."""

from collections.abc import Mapping
from typing import Protocol

from moviola.plan import Kind
from moviola_workers.job import Job, JobResult, Report
from moviola_workers.steps.edit import edit
from moviola_workers.steps.measure import measure
from moviola_workers.steps.package import package
from moviola_workers.steps.probe import probe
from moviola_workers.steps.thumbnails import thumbnails
from moviola_workers.steps.verify import verify


class Step(Protocol):
    """Does one job; raises ``TaskFailure`` with a stable code where it can't be done."""

    def __call__(self, job: Job, report: Report) -> JobResult: ...


STEPS: Mapping[Kind, Step] = {
    "probe": probe,
    "trim": edit,
    "resize": edit,
    "watermark": edit,
    "mute": edit,
    "downmix": edit,
    "normalize": edit,
    "measure": measure,
    "render": edit,
    "package": package,
    "thumbnails": thumbnails,
    "verify": verify,
}
