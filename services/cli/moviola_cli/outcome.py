"""How a command ends: the exit status, and the one line that says why.

0    done
1    a video failed, or something that doctor found missing
2    bad use: the command, a setting, a file or a recipe is wrong
3    a server can't be reached
130  interrupted
"""

import errno
import os
from collections.abc import Iterator
from enum import IntEnum

from moviola.errors import InvalidInput, MoviolaError, NoSpace, Refused, TaskFailure, Unavailable


class Outcome(IntEnum):
    DONE = 0
    FAILED = 1
    BAD_USE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class BadUse(Refused):
    """The command can't be carried out as it was given; the text says what to type instead."""

    code = "command.bad_use"


class VideoFailed(MoviolaError):
    """The video failed or was canceled: ``code: message``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def outcome_of(error: BaseException) -> tuple[Outcome, str]:
    """The exit status for *error* and its line; of a group, the first error in it that we know best counts."""
    leaves = sorted(_leaves(error), key=_strangeness)
    return _outcome(leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _strangeness(error: BaseException) -> int:
    return 0 if isinstance(error, MoviolaError) else 1 if isinstance(error, OSError) else 2


def _outcome(error: BaseException) -> tuple[Outcome, str]:
    match error:
        case KeyboardInterrupt():
            return Outcome.INTERRUPTED, "interrupted"
        case InvalidInput(errors=[first, *_]) if first.pointer:
            return Outcome.BAD_USE, f"{error} (at {first.pointer})"
        case Refused():
            return Outcome.BAD_USE, str(error)
        case Unavailable():
            return Outcome.UNREACHABLE, str(error)
        case NoSpace():
            return Outcome.FAILED, f"storage.no_space: {error}"
        case TaskFailure():
            return Outcome.FAILED, f"{error.code}: {error}"
        case MoviolaError():
            return Outcome.FAILED, str(error)
        case OSError(errno=errno.EADDRINUSE):
            return Outcome.BAD_USE, "the address is taken by another program; choose another --port"
        case OSError(errno=errno.ENOSPC):
            return Outcome.FAILED, f"storage.no_space: {error.filename or 'the disk'} has no room left"
        case OSError():
            return Outcome.BAD_USE, _os_error(error)
        case _:
            return Outcome.FAILED, f"unexpected {type(error).__name__}: {error} (MOVIOLA_LOG_LEVEL=debug shows where)"


def _os_error(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
