"""Confine this process as a decoder is confined, and print which parts were to be had. Run as a module, by doctor: what
a process does to itself here can't be undone."""

import json
import os
import sys
from dataclasses import asdict

from moviola_workers.sandbox import Bounds, NotConfined, confine

_MEMORY_BYTES = 4 * 1024**3
_CPU_SECONDS = 60


def main() -> int:
    """One JSON object on stdout; status 1 and a sentence on stderr where a required part is missing."""
    try:
        confined = confine(Bounds(parent=os.getppid(), memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS))
    except NotConfined as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(confined)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
