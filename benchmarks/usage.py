"""What one command costs: wall time, processor time and memory."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# A process's peak begins with that of whoever starts it, so that it is started by something small.
LAUNCHER = """
import json, os, sys, time
began = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - began
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """``wall`` and ``processor`` in seconds, ``peak`` resident memory in MiB."""

    wall: float
    processor: float
    peak: float


def run(command: Sequence[str]) -> Usage:
    """Run *command*, whose first word is a path; ``RuntimeError`` where it fails. It has to print nothing."""
    launched = subprocess.run(
        [sys.executable, "-S", "-E", "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE
    )
    status, wall, processor, peak = json.loads(launched.stdout)
    if status != 0:
        raise RuntimeError(f"{command[0]} ended with status {status}")
    return Usage(wall, processor, peak / 1024)
