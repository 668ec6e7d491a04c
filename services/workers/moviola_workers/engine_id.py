"""What makes results here, as a short name: workers of the same name make the same of the same task.

The name follows from the code of the steps and of the shared library, and from what pip installed of PyAV, which
brings FFmpeg and its codecs along, and of Pillow: a list of their files with a digest of each. Where PyAV was built
against an FFmpeg that lies elsewhere, a change of that one goes unnoticed.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from importlib.resources.abc import Traversable

OURS = ("moviola", "moviola_workers")
THEIRS = ("av", "pillow")
_ALIKE = 16


@cache
def engine_id() -> str:
    """16 hexadecimal digits. Blocking; reads some hundred small files, once in a process's life."""
    digest = hashlib.sha256()
    for name, content in [*_code(), *_codecs()]:
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:_ALIKE]


def _code() -> Iterator[tuple[str, bytes]]:
    for package in OURS:
        for name, file in sorted(_files_in(files(package), package)):
            yield name, file.read_bytes()


def _files_in(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        if one.is_dir() and one.name not in ("__pycache__", "adapters"):
            yield from _files_in(one, f"{name}/{one.name}")
        elif one.is_file() and not one.name.endswith(".pyc"):
            yield f"{name}/{one.name}", one


def _codecs() -> Iterator[tuple[str, bytes]]:
    for package in THEIRS:
        installed = distribution(package)
        record = (installed.read_text("RECORD") or "").splitlines()
        # What lies beside the package's own files (scripts, notes of the installer) differs from place to place.
        own = [line for line in record if not line.startswith("..") and ".dist-info/" not in line]
        yield f"{package} {installed.version}", "\n".join(sorted(own)).encode()
