"""The worker's side of a child: start it, give it its one job, hear how it goes, and see it gone."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Self

from moviola.errors import TaskFailure
from moviola.settings import Settings
from moviola_workers.dialogue import OUT_OF_MEMORY_STATUS, Failed, Made, Moved, Ready, Word, parse_word
from moviola_workers.job import Job, JobResult

START_SECONDS = 60.0
END_SECONDS = 5.0
# The facts of a file with many streams are long; a child that says more than this in one line has lost its mind.
MAX_LINE = 4 * 1024 * 1024
TAIL_BYTES = 4096


class ChildCrashed(TaskFailure):
    """The child died without a word, or said what no child says."""

    def __init__(self, message: str, *, code: str = "worker.crashed") -> None:
        super().__init__(code, message, permanent=False)


@dataclass(frozen=True, slots=True)
class ChildProgram:
    """Which steps a child loads: a module with a table ``STEPS``, and directories to look for it in first.

    ``reach`` are directories in which the steps may work beside their scratch directory.
    """

    steps: str = "moviola_workers.steps.table"
    search: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()


class _Tail(asyncio.Protocol):
    """Keeps the end of what the child prints; the rest is dropped, however much it is."""

    def __init__(self) -> None:
        self.kept = b""

    def data_received(self, data: bytes) -> None:
        self.kept = (self.kept + data)[-TAIL_BYTES:]


class Child:
    """A confined process that waits for its one job, or does it, or is gone. Whoever started it calls ``end``."""

    def __init__(self, process: Process, words: asyncio.StreamReader, tail: _Tail) -> None:
        if process.stdin is None:
            raise ValueError("a child is started with a pipe for its job")
        self._process = process
        self._job_pipe = process.stdin
        self._words = words
        self._tail = tail
        self._transports: list[asyncio.BaseTransport] = []
        self.sandbox = Ready()

    @classmethod
    async def start(cls, program: ChildProgram, settings: Settings) -> Self:
        """A child that is ready for its job; ``ChildCrashed`` where it does not get there.

        It is started from the thread that calls, which must live as long as the child shall: the kernel takes the
        death of that thread for the death of the parent.
        """
        words_read, words_write = os.pipe()
        tail_read, tail_write = os.pipe()
        try:
            arguments = _arguments(program, settings, words_write)
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=PIPE,
                stdout=tail_write,
                stderr=tail_write,
                pass_fds=(words_write,),
                env=_environment(),
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C is the worker's to decide about
            )
        except BaseException:
            os.close(words_read)
            os.close(tail_read)
            raise
        finally:
            os.close(words_write)
            os.close(tail_write)
        words = asyncio.StreamReader(limit=MAX_LINE)
        child = cls(process, words, _Tail())
        try:
            await child._listen(words_read, tail_read)
            await child._become_ready()
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def tail(self) -> str:
        """The end of what it printed, safe to show on a terminal."""
        text = self._tail.kept.decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)

    async def run(self, job: Job, moved: Callable[[float], None]) -> JobResult:
        """Do *job*, calling *moved* with 0 to 1 as it gets on; ``TaskFailure``, ``ChildCrashed``.

        When it is cancelled the child goes on: it is ``end`` that stops it.
        """
        with contextlib.suppress(ConnectionError):  # it died while it waited; how is told by its exit status
            self._job_pipe.write(job.model_dump_json().encode() + b"\n")
            await self._job_pipe.drain()
        async for word in self._hear():
            match word:
                case Moved():
                    moved(word.done)
                case Made():
                    return word.result
                case Failed():
                    raise TaskFailure(word.code, word.message, permanent=word.permanent)
                case Ready():
                    raise ChildCrashed("The child said twice that it is ready.")
        raise await self._cause_of_death()

    async def end(self) -> None:
        """Kill it if it lives, and return when it is gone."""
        if self.alive:
            # Its whole process group, in case that a library started a helper.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._job_pipe.close()
        await self._gone()
        for transport in self._transports:
            transport.close()

    async def _listen(self, words: int, tail: int) -> None:
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._words)
        for descriptor, listener in ((words, protocol), (tail, self._tail)):
            transport, _ = await loop.connect_read_pipe(lambda one=listener: one, os.fdopen(descriptor, "rb", 0))  # type: ignore[misc]  # mypy can't infer a lambda with a default
            self._transports.append(transport)

    async def _become_ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                async for word in self._hear():
                    if not isinstance(word, Ready):
                        raise ChildCrashed("The child spoke before it was ready.")
                    self.sandbox = word
                    return
        except TimeoutError as error:
            raise ChildCrashed(f"The child was not ready after {START_SECONDS:.0f} s.") from error
        raise await self._cause_of_death()

    async def _hear(self) -> AsyncIterator[Word]:
        try:
            while line := await self._words.readline():
                yield parse_word(line)
        except ValueError as error:
            raise ChildCrashed("The child said something that can't be read.") from error

    async def _cause_of_death(self) -> ChildCrashed:
        await self._gone()
        status = self._process.returncode
        if status == OUT_OF_MEMORY_STATUS:
            return ChildCrashed("The task needs more memory than it may have.", code="worker.out_of_memory")
        if status is not None and status < 0:
            return ChildCrashed(f"The child was killed by {_signal_name(-status)}.")
        return ChildCrashed(f"The child ended with status {status} and without a result.")

    async def _gone(self) -> None:
        # Bounded: a process that the kernel holds in a system call can't be killed, and must not hold us too.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"


def _arguments(program: ChildProgram, settings: Settings, channel: int) -> list[str]:
    cpu_seconds = int(settings.deadline_seconds * (os.cpu_count() or 1)) + 1
    options = {
        "--channel": channel,
        "--parent": os.getpid(),
        "--memory-bytes": settings.max_memory_bytes,
        "--cpu-seconds": cpu_seconds,
        "--steps": program.steps,
    }
    command = [sys.executable, "-I", "-X", "utf8", "-m", "moviola_workers.child"]
    command += [str(part) for option in options.items() for part in option]
    places = {"--search": program.search, "--reach": program.reach}
    return command + [part for option, row in places.items() for place in row for part in (option, place)]


def _environment() -> dict[str, str]:
    # An interpreter that was built with its library elsewhere does not start without this one; nothing else is needed.
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
