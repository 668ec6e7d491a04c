"""The step ``probe``: read the facts of the file."""

from moviola_workers.engine.facts import read_facts
from moviola_workers.job import Job, JobResult, Report


def probe(job: Job, report: Report) -> JobResult:
    """Packets and one picture are read, so that even a large file takes a moment only."""
    facts = read_facts(job.source, job.limits)
    report(1.0)
    return JobResult(probe=facts)
