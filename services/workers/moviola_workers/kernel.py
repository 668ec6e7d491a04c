"""Calls that Python has no function for, by the C library; errors come as ``OSError``."""

import ctypes
import os


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """*result*, where it is no error."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def system_call(number: int, *arguments: object) -> int:
    """The call of that number; ``AttributeError`` where the system's C library has no way to make one."""
    return checked(libc().syscall(number, *arguments))
