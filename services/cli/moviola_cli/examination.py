"""What doctor looks at. Each look is a finding: ok, warn (works, but …) or missing (needed and not there)."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from moviola.errors import MoviolaError
from moviola.infrastructure import ALL_PARTS, Infrastructure, Part, open_infrastructure
from moviola.settings import Settings, redacted, scheme

_CHECK_SECONDS = 5.0
_SANDBOX_ADVICE = "sysctl user.max_user_namespaces=10000, where it is the network that decoders can't be cut off from"
_LITTLE_DISK = 5 * 1024**3
_LITTLE_MEMORY = 2 * 1024**3

Verdict = Literal["ok", "warn", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``advice`` is the next thing to type or do; empty where all is well."""

    subject: str
    verdict: Verdict
    detail: str
    advice: str = ""


async def examine(settings: Settings, url: str | None) -> list[Finding]:
    """All findings, in the order in which a person should read them."""
    findings = [*_machine(), *_data_dir(settings), await _sandbox()]
    findings += [finding async for finding in _parts(settings)]
    if url is not None:
        findings.append(await _server(url))
    return findings


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", "ok" if cores > 1 else "warn", f"{cores}", "" if cores > 1 else "encoding will be slow")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    enough = memory >= _LITTLE_MEMORY
    advice = "" if enough else "large pictures may not fit; lower MOVIOLA_MAX_MEMORY_BYTES and stay below 4K"
    yield Finding("memory", "ok" if enough else "warn", f"{memory / 1024**3:.1f} GiB", advice)


def _data_dir(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir.absolute()
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(nearest, os.W_OK | os.X_OK) or not nearest.is_dir():
        yield Finding("data", "missing", f"{path} can't be written", "moviola up --data-dir ANOTHER")
        return
    yield Finding("data", "ok", f"{path} {'can be written' if path.exists() else 'is made at the first start'}")
    free = shutil.disk_usage(nearest).free
    advice = "" if free > _LITTLE_DISK else "moviola up --data-dir ON_A_LARGER_DISK"
    yield Finding("disk", "warn" if advice else "ok", f"{free / 1024**3:.1f} GiB free", advice)


async def _sandbox() -> Finding:
    """Tried out, in a process of its own, as a worker does it to its child."""
    trial = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moviola_cli.sandbox_trial"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await trial.communicate()
    if trial.returncode != 0:
        reason = err.decode(errors="replace").strip().rpartition("\n")[2]
        return Finding("sandbox", "missing", reason, "run it on Linux, in a container that allows these limits")
    confined = json.loads(out)
    detail = f"{len(confined['in_force'])} parts in force"
    if absent := confined["unavailable"]:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in absent.items())
        return Finding("sandbox", "warn", f"{detail}, not available: {reasons}", _SANDBOX_ADVICE)
    return Finding("sandbox", "ok", detail)


async def _parts(settings: Settings) -> AsyncIterator[Finding]:
    for part in ALL_PARTS:
        yield await _part(part, settings)


async def _part(part: Part, settings: Settings) -> Finding:
    name, url, variable = {
        "bus": ("bus", settings.bus_url, "MOVIOLA_BUS_URL"),
        "store": ("database", settings.database_url, "MOVIOLA_DATABASE_URL"),
        "storage": ("storage", settings.storage_url, "MOVIOLA_STORAGE_URL"),
        "cache": ("cache", settings.cache_url, "MOVIOLA_CACHE_URL"),
    }[part]
    if scheme(url) == "sqlite" and not settings.database_path().exists():
        return Finding(name, "ok", f"{redacted(url)} is made at the first start")
    if scheme(url) == "file" and not settings.objects_path().exists():
        return Finding(name, "ok", f"{redacted(url)} is made at the first start")
    try:
        async with asyncio.timeout(_CHECK_SECONDS), open_infrastructure(settings, parts=[part]) as parts:
            await _CHECKS[part](parts)
    except (MoviolaError, ValueError, OSError) as error:
        reason = str(error) or f"it does not answer within {_CHECK_SECONDS:g} s"
        verdict: Verdict = "warn" if part == "cache" else "missing"
        return Finding(name, verdict, f"{redacted(url)}: {reason}", _advice(part, variable))
    return Finding(name, "ok", f"{redacted(url)} answers")


def _advice(part: Part, variable: str) -> str:
    return f"moviola migrate, or correct {variable}" if part == "store" else f"start the server, or correct {variable}"


async def _check_cache(parts: Infrastructure) -> None:
    if not await parts.cache.check():
        raise MoviolaError("it does not answer; everything works without it, only slower")


_CHECKS: dict[Part, Callable[[Infrastructure], Awaitable[None]]] = {
    "bus": lambda parts: parts.bus.check(),
    "store": lambda parts: parts.store.check(),
    "storage": lambda parts: parts.storage.check(),
    "cache": _check_cache,
}


async def _server(url: str) -> Finding:
    from moviola.client import connect

    try:
        async with connect(url) as client:
            await client.check()
    except MoviolaError as error:
        return Finding("server", "missing", str(error), "moviola up, or another --url")
    return Finding("server", "ok", f"{url} is ready")
