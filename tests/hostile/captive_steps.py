"""Steps of a child that a file has taken over: each tries one way out and writes down what came of it."""

import ctypes
import errno
import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

from moviola.plan import KINDS
from moviola_workers.job import JobResult, MadeFile


def attempt(action, *arguments):
    """``did`` and what it gave, or the name of the error."""
    try:
        return f"did: {action(*arguments)}"
    except OSError as error:
        return errno.errorcode.get(error.errno, "?")
    except MemoryError:
        return "ENOMEM"
    except ValueError:  # how Python tells that a limit may not be raised
        return "EPERM"


def open_sockets():
    families = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "unix": socket.AF_UNIX, "netlink": socket.AF_NETLINK}
    for name, family in families.items():
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            yield f"{name} {kind.name}", attempt(socket.socket, family, kind)
    yield "pair", attempt(socket.socketpair)


def become_many():
    for number in range(100):
        yield f"fork {number}", attempt(_fork)
    yield "program", attempt(subprocess.run, ["/bin/true"])
    yield "exec", attempt(os.execv, "/bin/true", ["/bin/true"])
    yield "spawn", attempt(os.posix_spawn, "/bin/true", ["/bin/true"], {})


def _fork():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid


def take_memory():
    yield "20 GB", attempt(bytearray, 20 * 10**9)


def write_for_ever():
    block, file = bytes(1 << 20), Path("large").open("wb", buffering=0)  # noqa: SIM115  # it is closed with the process
    yield "one file", attempt(lambda: [file.write(block) for _ in range(1 << 20)])
    yield "its size", str(Path("large").stat().st_size)


def open_many():
    yield "descriptors", attempt(lambda: [os.dup(0) for _ in range(100_000)])


def read_what_is_not_its_own(secret):
    parent = os.getppid()
    places = (f"/proc/{parent}/environ", f"/proc/{parent}/mem", f"/proc/{parent}/root/etc/passwd", "/proc/1/environ")
    for path in (secret, "../../inputs/other", "/etc/passwd", "/proc/self/root/etc/passwd", *places):
        yield f"read {path}", attempt(lambda path: Path(path).read_bytes(), path)
    yield "descriptors of the parent", attempt(os.listdir, f"/proc/{parent}/fd")
    yield "list", attempt(os.listdir, str(Path(secret).parent))


def leave_something_elsewhere(secret):
    place = Path(secret).parent
    yield "write", attempt(lambda: Path(secret).write_text("taken over"))
    yield "make", attempt(lambda: (place / "new").write_text("new"))
    yield "rename", attempt(os.rename, secret, str(place / "moved"))
    yield "remove", attempt(os.unlink, secret)
    yield "link", attempt(os.link, secret, "link")
    yield "directory", attempt(os.mkdir, str(place / "directory"))
    yield "code", attempt(lambda: Path(__file__).with_name("evil.py").write_text("evil"))
    yield "temporary", attempt(lambda: Path("/tmp/moviola-was-here").write_text("here"))
    os.symlink(secret, "pointer")
    yield "through a link of its own", attempt(lambda: Path("pointer").read_bytes())


def touch_other_processes():
    parent, libc = os.getppid(), ctypes.CDLL(None, use_errno=True)

    def traced():
        if libc.ptrace(16, parent, 0, 0) != 0:  # PTRACE_ATTACH
            raise OSError(ctypes.get_errno(), "")

    yield "trace", attempt(traced)
    yield "signal", attempt(os.kill, parent, signal.SIGURG)


def change_the_world():
    libc = ctypes.CDLL(None, use_errno=True)

    def called(name, *arguments):
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "")

    yield "user namespace", attempt(called, "unshare", 0x10000000)
    yield "mount", attempt(called, "mount", b"none", b"/", b"tmpfs", 0, None)
    yield "chroot", attempt(os.chroot, ".")
    yield "root again", attempt(os.setuid, 0 if os.getuid() else 12345)
    yield "more memory", attempt(resource.setrlimit, resource.RLIMIT_AS, (-1, -1))


def dump_core():
    os.abort()


def do(job, report):
    name, *arguments = job.source.read_text().split()
    lines = [f"{what} = {came}" for what, came in globals()[name](*arguments)]
    path = job.scratch / "result.mp4"
    # What was opened and kept in the way of descriptors has to go first.
    os.closerange(20, 1024)
    path.write_text("\n".join(lines))
    return JobResult(made=(MadeFile(name="result.mp4", path=path, content_type="video/mp4"),))


STEPS = dict.fromkeys(KINDS, do)
