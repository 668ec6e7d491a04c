"""Many files through one child, in the place of a task each: probed, and edited where the job asks for it.

The files are the job's resources. What becomes of each is written to `said`, a line of JSON when it begins and one when
it has ended, so that whoever finds the child dead knows which file it was.
"""

import json
import shutil
import time

from measured_steps import megabytes, seconds

from moviola.errors import TaskFailure
from moviola.plan import KINDS, PROBE_PASS
from moviola_workers.job import JobResult
from moviola_workers.steps.table import STEPS as REAL


def series(job, report):
    with (job.scratch / "said").open("w") as said:
        for name, path in job.resources.items():
            say(said, begun=name)
            began, cpu = time.monotonic(), seconds()
            code, permanent, message = one(job.model_copy(update={"source": path, "resources": {}}), report)
            say(said, ended=name, code=code, permanent=permanent, message=message,
                seconds=time.monotonic() - began, processor=seconds() - cpu, peak=megabytes("VmHWM"))  # fmt: skip
    return JobResult()


def say(said, **words):
    said.write(json.dumps(words) + "\n")
    said.flush()


def one(job, report):
    room = job.scratch / "room"
    room.mkdir()
    try:
        facts = REAL["probe"](job.model_copy(update={"kind": "probe", "parameters": PROBE_PASS.parameters}), report)
        if job.kind != "probe":
            REAL[job.kind](job.model_copy(update={"scratch": room}), report)
    except TaskFailure as failure:
        return failure.code, failure.permanent, str(failure)
    else:
        return None, False, f"{facts.probe.duration:.3f} s"
    finally:
        shutil.rmtree(room)


STEPS = dict.fromkeys(KINDS, series)
