"""The process that touches the media: confined first, one job, then gone. `python -m moviola_workers.child`.

It is started ahead of its task, so that loading the codecs costs no task any time. It takes its job from standard
input as one line of JSON, and speaks on the descriptor that it was given (see ``dialogue``). While it works it keeps an
eye on standard input: when that closes, its worker is gone, and so is the child.
"""

import argparse
import errno
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from moviola.errors import TaskFailure
from moviola.plan import Kind
from moviola_workers.dialogue import MAX_MESSAGE, OUT_OF_MEMORY_STATUS, Failed, Made, Moved, Ready, Said
from moviola_workers.job import Job, JobResult, Report
from moviola_workers.sandbox import FENCE, Bounds, confine, fence_in, limit_file_size

Steps = Mapping[Kind, Callable[[Job, Report], JobResult]]

STEPS_MODULE = "moviola_workers.steps.table"
# Steps report for every frame; the worker needs to hear of it a few times a second.
SAY_SECONDS = 0.1


class Channel:
    """The way to the worker."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._silent_until = 0.0

    def say(self, word: Said) -> None:
        self._file.write(word.model_dump_json().encode() + b"\n")

    def report(self, done: float) -> None:
        """The ``Report`` for the steps: says that the job moved, not more often than the worker can use."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + SAY_SECONDS
            self.say(Moved(done=min(max(done, 0.0), 1.0)))


def main() -> int:
    """Confine, load, wait, work; the exit status is 0 where the worker was told how it ended."""
    options = _options()
    channel = Channel(options.channel)
    confined = confine(Bounds(options.parent, options.memory_bytes, options.cpu_seconds))
    sys.path[:0] = options.search
    steps = cast(Steps, importlib.import_module(options.steps).STEPS)
    channel.say(Ready(in_force=confined.in_force, unavailable=confined.unavailable))
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    job = Job.model_validate_json(line)
    os.chdir(job.scratch)
    limit_file_size(job.limits.max_bytes)
    if FENCE in confined.in_force:
        fence_in((job.source, *job.resources.values()), (job.scratch, *options.reach))
    # After the fence, which holds for this thread and those that it starts.
    threading.Thread(target=_leave_when_the_worker_does, daemon=True).start()
    return _do(job, steps, channel)


def _do(job: Job, steps: Steps, channel: Channel) -> int:
    try:
        channel.say(Made(result=steps[job.kind](job, channel.report)))
    except MemoryError:
        return OUT_OF_MEMORY_STATUS
    except TaskFailure as failure:
        channel.say(Failed(code=failure.code, message=str(failure)[:MAX_MESSAGE], permanent=failure.permanent))
    except OSError as error:
        return _system_failure(error, channel)
    return 0


def _system_failure(error: OSError, channel: Channel) -> int:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            channel.say(Failed(code="storage.no_space", message="The worker's disk is full.", permanent=False))
        case errno.EFBIG:
            message = "The result is larger than a task may write."
            channel.say(Failed(code="worker.output_too_large", message=message, permanent=True))
        case errno.ENOMEM:
            return OUT_OF_MEMORY_STATUS
        case _:
            raise error
    return 0


def _leave_when_the_worker_does() -> None:
    # The death signal does this on Linux already; a closed pipe does it everywhere.
    # Not by the buffered reader: a thread inside it aborts the interpreter's shutdown.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="moviola_workers.child", description="One task, confined; started by a worker."
    )
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    parser.add_argument("--steps", default=STEPS_MODULE)
    parser.add_argument("--search", action="append", default=[])
    parser.add_argument("--reach", action="append", default=[], type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except BaseException:
        traceback.print_exc()
    # Not through the interpreter's end: a codec's thread that hangs must not keep a finished child alive.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
