"""Run one pass of the engine in this process: `python -m benchmarks.one_pass JOB`, a job's JSON in a file."""

import sys
from pathlib import Path

from moviola_workers.job import Job
from moviola_workers.steps.table import STEPS


def main() -> None:
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    STEPS[job.kind](job, lambda _: None)


main()
