"""System calls that a decoder never needs, refused by the kernel: seccomp(2), mode "filter".

No new process and no other program, no socket, no look into another process, no change of namespaces, mounts or the
kernel. Threads can be started. The numbers are those of x86-64; another machine's child goes without this part and
says so.
"""

import ctypes
import errno
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from moviola_workers.kernel import checked, libc

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_SECOND_NUMBERING = 0x40000000  # x32 calls: the same calls under other numbers
_CLONE, _CLONE3, _CLONE_THREAD = 56, 435, 0x10000
_REFUSED = {
    "socket": 41, "socketpair": 53, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312,
    "unshare": 272, "setns": 308, "chroot": 161, "pivot_root": 155, "mount": 165, "umount2": 166,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
    "add_key": 248, "request_key": 249, "keyctl": 250, "open_by_handle_at": 304,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
}  # fmt: skip

# Offsets in struct seccomp_data, and the instructions of classic BPF that are used (linux/bpf_common.h).
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


@dataclass(frozen=True, slots=True)
class _If:
    """Answer *then* where the test holds, else go on; ``otherwise`` turns the test round."""

    test: int
    value: int
    then: int
    otherwise: bool = False

    def instructions(self) -> Iterator[_Instruction]:
        yield _Instruction(self.test, int(self.otherwise), int(not self.otherwise), self.value)
        yield _Instruction(_RETURN, 0, 0, self.then)


def refuse_what_no_decoder_needs() -> None:
    """From now on, for this thread and those that it starts; ``OSError`` where it can't be had.

    The process may not gain privileges any more when it is called.
    """
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, f"the list of system calls is not written for {platform.machine()}")
    lines = tuple(_filter())
    program = _Program(len(lines), (_Instruction * len(lines))(*lines))
    checked(libc().prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0))


def _filter() -> Iterator[_Instruction]:
    not_permitted = _FAIL | errno.EPERM
    yield _Instruction(_LOAD, 0, 0, _AT_ARCHITECTURE)
    yield from _If(_EQUAL, _ARCHITECTURE, _KILL, otherwise=True).instructions()
    yield _Instruction(_LOAD, 0, 0, _AT_NUMBER)
    yield from _If(_AT_LEAST, _SECOND_NUMBERING, not_permitted).instructions()
    for number in sorted(_REFUSED.values()):
        yield from _If(_EQUAL, number, not_permitted).instructions()
    # Its flags lie in memory, out of a filter's sight; "not there" makes the C library take the older call.
    yield from _If(_EQUAL, _CLONE3, _FAIL | errno.ENOSYS).instructions()
    yield from _If(_EQUAL, _CLONE, _ALLOW, otherwise=True).instructions()
    yield _Instruction(_LOAD, 0, 0, _AT_FIRST_ARGUMENT)
    yield from _If(_ANY_BIT, _CLONE_THREAD, not_permitted, otherwise=True).instructions()
    yield _Instruction(_RETURN, 0, 0, _ALLOW)
