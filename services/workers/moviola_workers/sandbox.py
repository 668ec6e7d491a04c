"""What the child does to itself before it touches a file that somebody else made.

Limits that every system has are required: without them the child does not start. What depends on the kernel and on the
container's policy (a network namespace, capabilities, the order of the out-of-memory killer) is taken where it can be
had, and the child says which parts it got. Everything here holds for the whole process and can't be undone by it.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moviola_workers import landlock
from moviola_workers.kernel import checked, libc
from moviola_workers.seccomp import refuse_what_no_decoder_needs

# prctl(2), unshare(2), capset(2)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAPABILITY_VERSION_3 = 0x20080522
# A worker that runs as root in somebody's home directory must still be able to read its own program there.
_KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

OPEN_FILES = 256
THREADS = 512
NICENESS = 5
OUT_OF_MEMORY_SCORE = 500


class NotConfined(Exception):
    """A required part of the sandbox is missing: this child must not run."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: bytes of address space, seconds of processor time over all its threads."""

    parent: int
    memory_bytes: int
    cpu_seconds: int


@dataclass(frozen=True, slots=True)
class Confined:
    """The parts in force, and the parts that are not available with the reason."""

    in_force: tuple[str, ...]
    unavailable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the sandbox; a child without a required one must not run."""

    name: str
    required: bool
    apply: Callable[[Bounds], None]


def confine(bounds: Bounds, parts: Sequence[Part] | None = None) -> Confined:
    """Confine this process, which must have one thread only; ``NotConfined`` where a required part can't be had.

    *parts* are tried in their order; without them, all of ``PARTS``.
    """
    in_force: list[str] = []
    unavailable: dict[str, str] = {}
    for part in PARTS if parts is None else parts:
        try:
            part.apply(bounds)
        except (OSError, ValueError, AttributeError) as error:
            if part.required:
                raise NotConfined(f"The sandbox's {part.name} can't be had: {error}") from error
            unavailable[part.name] = str(error)
        else:
            in_force.append(part.name)
    if os.getppid() != bounds.parent:
        raise NotConfined("The worker died before its child could tie itself to it.")
    return Confined(tuple(in_force), unavailable)


def limit_file_size(size: int) -> None:
    """No file that this process writes grows beyond *size* bytes; writing further fails with ``EFBIG``."""
    _limit(resource.RLIMIT_FSIZE, size)


def fence_in(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Let this process reach no other files than these, and what it needs to run; only where ``FENCE`` is in force.

    It must have one thread only.
    """
    landlock.fence((*_needed(), *readable), writable)


def _needed() -> Iterator[Path]:
    """The program and its libraries, since some are loaded when they are first used; what codecs ask of the machine."""
    yield from (Path(place) for place in sys.path if place)
    yield from map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"))
    yield from map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm/overcommit_memory"))
    yield from map(Path, ("/sys/devices/system/cpu", "/dev/urandom"))


def _limit(what: int, value: int) -> None:
    # A lower limit that is already there stays: raising it is not ours to do.
    _, hard = resource.getrlimit(what)
    ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (ceiling, ceiling))


def _empty_environment(bounds: Bounds) -> None:
    os.environ.clear()


def _private_files(bounds: Bounds) -> None:
    os.umask(0o077)


def _memory(bounds: Bounds) -> None:
    _limit(resource.RLIMIT_AS, bounds.memory_bytes)


def _processor(bounds: Bounds) -> None:
    _limit(resource.RLIMIT_CPU, bounds.cpu_seconds)


def _open_files(bounds: Bounds) -> None:
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)


def _no_core(bounds: Bounds) -> None:
    _limit(resource.RLIMIT_CORE, 0)


def _no_network(bounds: Bounds) -> None:
    user, group = os.getuid(), os.getgid()
    alone = _CLONE_NEWNET if user == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    checked(libc().unshare(alone))
    if user != 0:
        _keep_identity(user, group)


def _keep_identity(user: int, group: int) -> None:
    # In a user namespace without these maps everybody is "nobody"; files are still reached with the old identity.
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _no_capabilities(bounds: Bounds) -> None:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySet * 2)()
    system = libc()
    checked(system.capget(ctypes.byref(header), ctypes.byref(sets)))
    kept = sets[0].permitted & _KEPT_CAPABILITIES
    sets[0], sets[1] = _CapabilitySet(kept, kept, 0), _CapabilitySet(0, 0, 0)
    checked(system.capset(ctypes.byref(header), ctypes.byref(sets)))


def _no_new_privileges(bounds: Bounds) -> None:
    checked(libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _dies_with_parent(bounds: Bounds) -> None:
    checked(libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))


def _few_threads(bounds: Bounds) -> None:
    # The limit counts all threads of the user, so ours come on top of those that are there.
    user, there = os.getuid(), 0
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (tasks := os.stat(f"/proc/{entry.name}/task")).st_uid == user:
                there += tasks.st_nlink - 2
    _limit(resource.RLIMIT_NPROC, there + THREADS)


def _low_priority(bounds: Bounds) -> None:
    os.nice(NICENESS)
    # Where sessions are scheduled as groups, niceness counts only inside our own session; the group has its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def _first_to_go(bounds: Bounds) -> None:
    Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE))


def _fence(bounds: Bounds) -> None:
    # It is put up when the task's own files are known.
    landlock.version()


def _few_system_calls(bounds: Bounds) -> None:
    refuse_what_no_decoder_needs()


FENCE = "fence around the task's files"
_LINUX = sys.platform == "linux"
# In this order: leaving the network needs privileges that are then dropped, and both clear the death signal; the list
# of system calls comes when no privileges can be gained any more.
PARTS: tuple[Part, ...] = (
    Part("empty environment", True, _empty_environment),
    Part("private files", True, _private_files),
    Part("low priority", False, _low_priority),
    Part("first to go when memory is short", False, _first_to_go),
    Part("no network", False, _no_network),
    Part("no capabilities", False, _no_capabilities),
    Part("no new privileges", _LINUX, _no_new_privileges),
    Part("death with the worker", _LINUX, _dies_with_parent),
    Part(FENCE, False, _fence),
    Part("no sockets, processes or other programs", False, _few_system_calls),
    Part("thread limit", False, _few_threads),
    Part("open files limit", True, _open_files),
    Part("no core dump", True, _no_core),
    Part("processor limit", True, _processor),
    Part("memory limit", _LINUX, _memory),
)
