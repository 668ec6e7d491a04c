"""The real steps; each leaves a note in its scratch directory of what it took: memory, and processor time."""

import resource
from pathlib import Path

from moviola_workers.steps.table import STEPS as REAL

# Opened before the fence is put up around the task's files.
STATUS = Path("/proc/self/status").open()  # noqa: SIM115  # it is closed with the process


def megabytes(name):
    # Not rusage's figure: that one remembers the process that this one was forked from.
    STATUS.seek(0)
    lines = STATUS.read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(step):
    def run(job, report):
        before, began = megabytes("VmRSS"), seconds()
        try:
            return step(job, report)
        finally:
            peak = megabytes("VmHWM")
            (job.scratch / "cost").write_text(f"{peak} {peak - before} {seconds() - began}")

    return run


STEPS = {kind: measured(step) for kind, step in REAL.items()}
