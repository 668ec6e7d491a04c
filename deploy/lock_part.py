#!/usr/bin/env python3
"""Print the part of requirements.lock that some extras need: `lock_part.py embedded build > part.txt`.

The lock says for each package who asked for it ("# via"). Starting from what pyproject.toml names for the project and
the extras, everything that was asked for by something already taken is taken too, with its markers and hashes as they
are. An extra of a dependency is not told apart from the dependency: a part may hold a package too many, never one too
few. Standard library only, since it runs before anything is installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OWN_EXTRAS = re.compile(r"\[([^\]]*)\]")


class UnknownExtra(ValueError):
    """pyproject.toml has no extra of that name."""


class StaleLock(ValueError):
    """The lock lacks what pyproject.toml asks for."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One requirement of the lock: its lines as they stand, and the names of those who asked for it."""

    name: str
    text: str
    asked_by: frozenset[str]


def canonical(name: str) -> str:
    """The name as the packaging specifications compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> list[Locked]:
    """The requirements of a lock in their order; one package may stand there several times, under other markers."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            blocks.append([])
        blocks[-1].append(line)
    return [Locked(_leading_name(block[0]), "\n".join(block) + "\n", frozenset(_askers(block))) for block in blocks]


def wanted_names(project: Mapping[str, object], extras: Iterable[str]) -> set[str]:
    """What the project and *extras* name directly, an extra that names other extras of the project included."""
    own = canonical(str(project["name"]))
    offered: Mapping[str, Sequence[str]] = project.get("optional-dependencies", {})  # type: ignore[assignment]  # TOML
    requirements: list[str] = list(project.get("dependencies", []))  # type: ignore[call-overload]  # TOML
    waiting, seen = list(extras), set[str]()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        if extra not in offered:
            raise UnknownExtra(f"pyproject.toml has no extra {extra!r}; it has {', '.join(sorted(offered))}.")
        seen.add(extra)
        for requirement in offered[extra]:
            if _leading_name(requirement) == own:
                waiting.extend(_extras_in(requirement))
            else:
                requirements.append(requirement)
    return {_leading_name(requirement) for requirement in requirements}


def part_of(lock: Sequence[Locked], names: Iterable[str]) -> list[Locked]:
    """Those of *lock* that *names* need, directly or not, in the lock's order."""
    taken, added = set[str](), set(names)
    if missing := added - {one.name for one in lock}:
        raise StaleLock(f"requirements.lock lacks {', '.join(sorted(missing))}: run `make lock`.")
    while added:
        taken |= added
        added = {one.name for one in lock if one.asked_by & added} - taken
    return [one for one in lock if one.name in taken]


def _leading_name(requirement: str) -> str:
    found = _NAME.match(requirement)
    if found is None:
        raise ValueError(f"This is not a requirement: {requirement!r}.")
    return canonical(found[0])


def _extras_in(requirement: str) -> list[str]:
    found = _OWN_EXTRAS.search(requirement)
    return [name.strip() for name in found[1].split(",")] if found else []


def _askers(block: Sequence[str]) -> Iterator[str]:
    for line in block:
        comment = line.strip()
        if comment.startswith("#"):
            asker = comment.removeprefix("#").strip().removeprefix("via").strip()
            # "moviola (pyproject.toml)" says that the project itself asked, not for which extra.
            if asker and "(" not in asker:
                yield canonical(asker)


def main(extras: Sequence[str]) -> int:
    """Print the part for *extras*; 2 where pyproject.toml and the lock don't have it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = read_lock((ROOT / "requirements.lock").read_text())
    try:
        part = part_of(lock, wanted_names(project, extras))
    except (UnknownExtra, StaleLock) as error:
        print(f"lock_part.py: {error}", file=sys.stderr)
        return 2
    sys.stdout.writelines(one.text for one in part)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
