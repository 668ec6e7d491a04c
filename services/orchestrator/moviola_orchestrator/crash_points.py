"""Named places at which a test can have this process die, as if the machine had: no handler runs, nothing is flushed.

`MOVIOLA_CRASH_AT` names one; the process kills itself the first time it comes there.
"""

import os
import signal
from dataclasses import dataclass
from typing import Literal

CrashPoint = Literal["outbox.before_publish", "outbox.after_publish"]


@dataclass(frozen=True, slots=True)
class CrashPoints:
    """``at`` None: none of them does anything."""

    at: str | None = None

    def reached(self, point: CrashPoint) -> None:
        if point == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
