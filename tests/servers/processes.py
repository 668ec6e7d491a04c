"""A child process that can be started again, frozen and killed with all that it started, and dies with us."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAUNCHER = Path(__file__).with_name("dies_with_parent.py")

# A child's "parent" is the thread that started it: one started from a short-lived thread would die with that thread.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starts-servers")


class ChildProcess:
    """*command* in *folder*, its output in ``output.log`` there, as *user* where one is given."""

    def __init__(
        self, command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None, user: str = ""
    ) -> None:
        self._command = tuple(command)
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        _SPAWNER.submit(self._spawn).result()

    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def stop(self, signal_number: int = signal.SIGTERM, *, within: float = 20) -> None:
        """Ask it to end with that signal; kill it if it does not."""
        if self._popen is None:
            return
        self.resume()
        self._popen.send_signal(signal_number)
        try:
            self._popen.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
        self._popen = None

    def kill(self) -> None:
        self._signal_all(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()
        self._popen = None

    def pause(self) -> None:
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def log(self) -> str:
        """The end of what it wrote."""
        return (self._folder / "output.log").read_text(errors="replace")[-3000:]

    def _spawn(self) -> None:
        launch = [sys.executable, "-S", "-E", str(LAUNCHER), str(os.getpid()), self._user, *self._command]
        with (self._folder / "output.log").open("ab") as log:
            self._popen = subprocess.Popen(
                launch,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest; its servers end with the session
            )

    def _signal_all(self, signal_number: int) -> None:
        if self._popen is None or self._popen.poll() is not None:
            return
        # The parent first, so that it starts no new children meanwhile.
        for pid in [self._popen.pid, *descendants(self._popen.pid)]:
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                continue


def descendants(root: int) -> Iterator[int]:
    """All children of a process and theirs; none where there is no ``/proc``."""
    parents = dict(_parents())
    generation = [root]
    while generation:
        generation = [pid for pid, parent in parents.items() if parent in generation]
        yield from generation


def _parents() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces and parentheses of its own.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended while we were reading
        yield int(stat.parent.name), int(fields[1])


def own_folder(name: str, user: str = "") -> Path:
    """A new empty directory that *user* may use; whoever asked for it removes it."""
    folder = Path(tempfile.mkdtemp(prefix=f"moviola-test-{name}-"))
    if user:
        shutil.chown(folder, user)
    return folder
