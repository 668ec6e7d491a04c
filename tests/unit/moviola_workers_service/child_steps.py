"""Steps for the tests: what they do is written in their source file, the name of a function below and its arguments.

The child loads this module in the place of the real steps.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

from moviola.errors import TaskFailure
from moviola.plan import KINDS
from moviola.probe import Probe, VideoStream
from moviola_workers.job import JobResult, MadeFile

FACTS = Probe(
    container="mp4",
    size=4,
    duration=1.0,
    video=VideoStream(
        index=0,
        codec="h264",
        width=2,
        height=2,
        display_width=2,
        display_height=2,
        pixel_format="yuv420p",
        frame_rate=1.0,
    ),
)


def made(job, content, *, name=None, path=None):
    name = name or (job.files[0] if job.files else "result.mp4")
    path = path or job.scratch / name
    if content is not None:
        path.write_bytes(content)
    return JobResult(made=(MadeFile(name=name, path=path, content_type="video/mp4"),))


def copy(job, report):
    report(0.5)
    report(1.0)
    if job.kind == "probe":
        return JobResult(probe=FACTS)
    return made(job, b"made of: " + job.source.read_bytes())


def death_signal():
    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number))  # PR_GET_PDEATHSIG
    return number.value


def describe(job, report):
    about = {
        "environment": dict(os.environ),
        "environment_at_start": Path("/proc/self/environ").read_text(),
        "cwd": os.getcwd(),
        "umask": os.umask(0o077),
        "session": os.getsid(0),
        "pid": os.getpid(),
        "nice": os.nice(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "memory": resource.getrlimit(resource.RLIMIT_AS),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "file_size": resource.getrlimit(resource.RLIMIT_FSIZE),
        "no_new_privileges": "NoNewPrivs:\t1" in Path("/proc/self/status").read_text(),
        "death_signal": death_signal(),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "steps": sys.modules[__name__].__file__,
    }
    return made(job, json.dumps(about).encode())


def connect(job, report, port):
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=2).close()
    except OSError as error:
        return made(job, f"refused: {error}".encode())
    return made(job, b"connected")


def refuse(job, report):
    raise TaskFailure("media.not_video", "This is not a video.", permanent=True)


def raise_a_bug(job, report):
    sys.stdout.write("\x1b[31mwhat went before\n")
    raise ZeroDivisionError("a bug in a step")


def segfault(job, report):
    ctypes.string_at(0)


def kill_itself(job, report, number):
    os.kill(os.getpid(), int(number))


def take_memory(job, report):
    return made(job, b"%d" % len(bytearray(1 << 34)))


def print_garbage(job, report):
    for _ in range(200):
        os.write(1, b"\xff\x00 not a word of the protocol {}\n" * 100)
        os.write(2, b"noise")
    return copy(job, report)


def say_nonsense(job, report):
    channel = int(sys.argv[sys.argv.index("--channel") + 1])
    os.write(channel, b'{"word": "made", "result": {"made": "everything"}}\n')
    time.sleep(60)


def hang(job, report, ready=None):
    report(0.1)
    if ready:
        Path(ready).write_text(f"{os.getpid()}")
    signal.pause()


def go_on(job, report, ready, until):
    """Report frames until the file *until* is there."""
    Path(ready).write_text(f"{os.getpid()}")
    frames = 0
    while not Path(until).exists():
        frames += 1
        report(1 - 1 / frames)
        time.sleep(0.02)
    return copy(job, report)


def write_too_much(job, report):
    return made(job, bytes(job.limits.max_bytes + 1))


def write_many(job, report):
    for number in range(4):
        (job.scratch / f"part-{number}").write_bytes(bytes(job.limits.max_bytes // 2))
    signal.pause()


def make_a_link(job, report, target):
    path = job.scratch / "result.mp4"
    path.symlink_to(target)
    return made(job, None, path=path)


def make_a_pipe(job, report):
    path = job.scratch / "result.mp4"
    os.mkfifo(path)
    return made(job, None, path=path)


def make_a_second_name(job, report, target):
    path = job.scratch / "result.mp4"
    os.link(target, path)
    return made(job, None, path=path)


def point_outside(job, report, target):
    return made(job, None, path=Path(target))


def name_it(job, report, name):
    return made(job, b"result", name=name, path=job.scratch / "result.mp4")


def leave_files(job, report):
    locked = job.scratch / "locked"
    locked.mkdir()
    (locked / "left").write_text("left behind")
    locked.chmod(0)
    return copy(job, report)


def do(job, report):
    name, *arguments = job.source.read_text().split()
    return globals()[name](job, report, *arguments)


STEPS = dict.fromkeys(KINDS, do)
