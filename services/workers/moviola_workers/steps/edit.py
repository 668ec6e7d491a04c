"""The editing steps (``trim``, ``resize``, ``render`` …): one engine, whatever the edit asks for."""

from collections.abc import Mapping
from pathlib import Path

from moviola.output import Container
from moviola.plan import HLS, RESULTS, Edit
from moviola_workers.engine.hls import write_package
from moviola_workers.engine.remuxing import can_copy, copy_packets
from moviola_workers.engine.rendering import render
from moviola_workers.engine.renditions import Renditions
from moviola_workers.engine.shots import NotCopyable
from moviola_workers.engine.smart_cut import smart_cut
from moviola_workers.job import Job, JobResult, MadeFile, Report

CONTENT_TYPES: Mapping[Container, str] = {"mp4": "video/mp4", "webm": "video/webm"}


def edit(job: Job, report: Report) -> JobResult:
    """Make one file: packets copied where the plan says so and the file lets us, else decoded and encoded once.

    What is encoded may bring an HLS package along. A remark tells of a smart cut that the file did not let us make.
    """
    parameters = job.parameters
    if not isinstance(parameters, Edit):
        raise TypeError(f"An editing task needs the parameters of an edit, not of {parameters.task!r}.")
    name = job.files[0] if job.files else RESULTS[parameters.output.container]
    target = job.scratch / name
    made: tuple[MadeFile, ...] = ()
    if parameters.copy_packets and can_copy(job):
        copy_packets(job, parameters, target, report)
        remarks: tuple[str, ...] = ()
    elif parameters.ladder is not None:
        renditions = Renditions(parameters.ladder, job.scratch / HLS)
        end = render(job, parameters, target, report, renditions)
        made, remarks = write_package(renditions, job.resources, end), ()
    else:
        remarks = _rendered(job, parameters, target, report)
    content_type = CONTENT_TYPES[parameters.output.container]
    result = MadeFile(name=name, path=target, content_type=content_type)
    return JobResult(made=(result, *made), remarks=remarks)


def _rendered(job: Job, parameters: Edit, target: Path, report: Report) -> tuple[str, ...]:
    if parameters.smart_cut:
        try:
            smart_cut(job, parameters, target, report)
        except NotCopyable as reason:
            render(job, parameters, target, report)
            return (f"The part is encoded anew: {reason}.",)
        return ()
    render(job, parameters, target, report)
    return ()
