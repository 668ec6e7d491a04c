"""Fetching a task's inputs and storing what its child made; storage errors become failures of the task here.

What the child made is looked at before it is stored: the child may have been taken over by the file that it decoded,
and must not get the worker to publish other files of the machine, or a name or type that does harm elsewhere.
"""

import asyncio
import hashlib
import re
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import stamina

from moviola.errors import NoSpace, ObjectChanged, ObjectNotFound, StorageUnavailable, TaskFailure
from moviola.messages import ObjectRef, TaskCommand
from moviola.plan import FINDINGS_ONLY
from moviola.ports.object_storage import ObjectStorage, Progress, StoredObject
from moviola.video import OutputFile
from moviola_workers.dialogue import MAX_MESSAGE
from moviola_workers.job import JobResult, MadeFile
from moviola_workers.meter import Meter

STORAGE_TRIES = 4
HASH_CHUNK = 4 * 1024 * 1024
T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,3}")
_CONTENT_TYPE = re.compile(r"(video|image|audio|application|text)/[a-z0-9][a-z0-9.+-]{0,60}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """A task's input on the local disk; ``sha256`` is the source's, where somebody knows it."""

    source: Path
    resources: Mapping[str, Path]
    sha256: str | None


async def fetch_inputs(storage: ObjectStorage, command: TaskCommand, directory: Path, meter: Meter) -> Inputs:
    """Bring the source and the resources to *directory*; ``TaskFailure`` where one is missing or another one."""
    refs = {"source": command.source, **{f"resource-{n}": r for n, r in enumerate(command.resources.values())}}
    meter.begin("fetch", total=sum(ref.size or 0 for ref in refs.values()))
    known = {name: await _fetch(storage, ref, directory / name, meter) for name, ref in refs.items()}
    resources = {name: directory / f"resource-{n}" for n, name in enumerate(command.resources)}
    return Inputs(directory / "source", resources, known["source"])


async def _fetch(storage: ObjectStorage, ref: ObjectRef, path: Path, meter: Meter) -> str | None:
    with _failing("input"):
        stored = await _tried(lambda: storage.download(ref.key, path, etag=ref.etag, progress=meter.moved_bytes))
    if ref.etag is None and ref.sha256 is not None:
        # An ETag pins the bytes by itself; without one, the digest has to.
        found = stored.sha256 or await hash_file(path, meter.moved_bytes)
        if found != ref.sha256:
            raise _changed()
    return ref.sha256 or stored.sha256


async def store_outputs(
    storage: ObjectStorage, command: TaskCommand, result: JobResult, *, scratch: Path, prefix: str, meter: Meter
) -> tuple[OutputFile, ...]:
    """Store what was made under *prefix*; ``TaskFailure`` where it is not what the command asked for."""
    sizes = await asyncio.to_thread(_checked, command, result, scratch)
    meter.begin("store", total=sum(sizes))
    return tuple([await _store(storage, made, prefix + made.name, meter) for made in result.made])


async def _store(storage: ObjectStorage, made: MadeFile, key: str, meter: Meter) -> OutputFile:
    def upload() -> Awaitable[StoredObject]:
        return storage.upload(made.path, key, content_type=made.content_type, progress=meter.moved_bytes)

    with _failing("result"):
        stored = await _tried(upload)
    sha256 = stored.sha256 or await hash_file(made.path, meter.moved_bytes)
    return OutputFile(name=made.name, key=key, size=stored.size, sha256=sha256, content_type=made.content_type)


async def hash_file(path: Path, progress: Progress) -> str:
    """The SHA-256 of the file at *path* in hex, read away from the event loop."""
    digest = hashlib.sha256()
    with await asyncio.to_thread(path.open, "rb") as file:

        def hash_some() -> int:
            chunk = file.read(HASH_CHUNK)
            digest.update(chunk)
            return len(chunk)

        while count := await asyncio.to_thread(hash_some):
            progress(count)
    return digest.hexdigest()


async def _tried(call: Callable[[], Awaitable[T]]) -> T:
    async for attempt in stamina.retry_context(
        on=StorageUnavailable, attempts=STORAGE_TRIES, timeout=None, wait_initial=0.2, wait_max=5.0
    ):
        with attempt:
            return await call()
    raise AssertionError("stamina ends with a value or an error")


@contextmanager
def _failing(what: str) -> Iterator[None]:
    try:
        yield
    except ObjectNotFound as error:
        raise TaskFailure("storage.input_missing", "The input is not in the storage.", permanent=True) from error
    except ObjectChanged as error:
        raise _changed() from error
    except NoSpace as error:
        raise TaskFailure("storage.no_space", f"There is no room for the {what}.", permanent=False) from error
    except StorageUnavailable as error:
        message = f"The storage did not take or give the {what}: {error}"
        raise TaskFailure("storage.unavailable", message, permanent=False) from error


def _changed() -> TaskFailure:
    return TaskFailure("storage.input_changed", "The input is not the one that was pinned.", permanent=True)


def _checked(command: TaskCommand, result: JobResult, scratch: Path) -> list[int]:
    """The sizes of what was made, once it is known to be what the command asked for."""
    names = sorted(made.name for made in result.made)
    found_only = command.kind in FINDINGS_ONLY
    if found_only:
        fits = not names and (result.probe if command.kind == "probe" else result.quality) is not None
    else:
        fits = names == sorted(command.files) if command.files else len(names) == 1
    if not fits:
        wanted = ", ".join(command.files) or ("facts" if found_only else "one file")
        message = f"The step made {', '.join(names) or 'nothing'} where {wanted} was asked for."
        raise TaskFailure("worker.wrong_result", message[:MAX_MESSAGE], permanent=False)
    return [_size_of(made, scratch.resolve()) for made in result.made]


def _size_of(made: MadeFile, scratch: Path) -> int:
    there = made.path.exists() and made.path.resolve().is_relative_to(scratch)
    status = made.path.lstat() if there else None
    # A second name for the file would be one outside of the scratch directory: a file that the child did not make.
    own = status is not None and stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if status is None or not own or not _NAME.fullmatch(made.name) or not _CONTENT_TYPE.fullmatch(made.content_type):
        raise TaskFailure("worker.wrong_result", "The step made a file that can't be published.", permanent=False)
    return status.st_size
