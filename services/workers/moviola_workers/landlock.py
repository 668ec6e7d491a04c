"""A fence around the files that a process may still reach: Landlock, Linux 5.13 and later (landlock(7)).

Beyond the fence nothing can be opened, made, linked or removed, whoever owns it. Newer kernels fence off more along
with it, and that is taken too: TCP ports (6.7), signals to processes outside and their abstract sockets (6.12). In any
version the memory and the environment of processes outside are out of reach.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from moviola_workers.kernel import system_call

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_MAKE_CHARACTER_DEVICE, _MAKE_SOCKET, _MAKE_BLOCK_DEVICE, _TRUNCATE = 1 << 6, 1 << 9, 1 << 11, 1 << 14
_EXECUTE, _CONTROL_DEVICES = 1 << 0, 1 << 15
_READ = _READ_FILE | _READ_DIR
_NEVER = _EXECUTE | _CONTROL_DEVICES | _MAKE_CHARACTER_DEVICE | _MAKE_SOCKET | _MAKE_BLOCK_DEVICE
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _CONTROL_DEVICES
# How many rights to files each version of the interface knows, from the first on.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_TCP, _SIGNALS_AND_ABSTRACT_SOCKETS = 0b11, 0b11


class _Handled(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's version of the interface, from 1 on; ``OSError`` where it has none, or does not let us."""
    return system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))


def fence(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """From now on this thread, and those that it starts, reach only what lies at or below the paths.

    What is open stays open. Paths that do not exist are passed over. ``OSError`` where there is no fence to be had;
    the process may not gain privileges any more when it is called.
    """
    known = version()
    rights = (1 << _FILE_RIGHTS[min(known, len(_FILE_RIGHTS)) - 1]) - 1
    handled = _Handled(rights, _TCP if known >= 4 else 0, _SIGNALS_AND_ABSTRACT_SOCKETS if known >= 6 else 0)
    size = ctypes.sizeof(handled) if known >= 6 else 16 if known >= 4 else 8
    ruleset = system_call(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for paths, allowed in ((readable, _READ), (writable, rights & ~_NEVER)):
            for path in paths:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    _allow(ruleset, path, allowed)
        system_call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = allowed if os.path.isdir(path) else allowed & _OF_A_FILE
        rule = ctypes.byref(_Beneath(rights, place))
        system_call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)
