"""The one place that maps FFmpeg's errors to failure codes.

A permanent failure would end the same way with the same input. What can't be told from here (a crash, a time-out of
the whole task) is decided by the worker that watches the child process.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import av.error

from moviola.errors import TaskFailure

FFmpegError = av.error.FFmpegError


def refused(code: str, message: str) -> TaskFailure:
    """A failure that another attempt would not mend."""
    return TaskFailure(code, message, permanent=True)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of FFmpeg, of the disk and of the memory leave as ``TaskFailure``; ``doing`` ends the sentence.

    Any other exception is a defect of ours and passes as it is.
    """
    try:
        yield
    except TaskFailure:
        raise
    except (FFmpegError, OSError, MemoryError) as error:
        raise failure_of(error, doing) from error


def failure_of(error: FFmpegError | OSError | MemoryError, doing: str) -> TaskFailure:
    """The failure that an error means, met while ``doing`` ("decoding the picture")."""
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return TaskFailure("worker.out_of_memory", f"The worker ran out of memory while {doing}.", permanent=False)
    if number == errno.EFBIG:
        return refused("worker.output_too_large", f"The result is larger than a task may write; seen while {doing}.")
    if number in (errno.ENOSPC, errno.EDQUOT):
        return TaskFailure("storage.no_space", f"The worker's disk was full while {doing}.", permanent=False)
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return refused("media.corrupt", f"The file took too long to read while {doing}.")
    if isinstance(error, av.error.DecoderNotFoundError | av.error.PatchWelcomeError):
        return refused("media.unsupported_codec", f"The file uses something that can't be decoded; seen while {doing}.")
    if isinstance(error, av.error.InvalidDataError | av.error.EOFError | av.error.DemuxerNotFoundError):
        return refused("media.corrupt", f"The file's data is broken; seen while {doing}.")
    if isinstance(error, FFmpegError):
        return refused("media.corrupt", f"FFmpeg gave up while {doing}: {error.strerror}.")
    return TaskFailure("worker.failed", f"The system refused something while {doing}: {error}.", permanent=False)
