"""`moviola up`: the whole system in one process; `moviola api | orchestrator | worker`: one service alone."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import BadUse

if TYPE_CHECKING:
    from moviola.settings import Settings
    from moviola_cli.effective_settings import EffectiveSettings

Host = Annotated[str | None, typer.Option(help="The address to listen at. [default: 127.0.0.1]", show_default=False)]
Port = Annotated[int | None, typer.Option(help="The port; 0 takes a free one. [default: 8080]", show_default=False)]
DataDir = Annotated[Path | None, typer.Option(help="Where everything is kept. [default: .moviola]", show_default=False)]

# A person at the keyboard waits; what is not finished by then goes on at the next start.
_DRAIN_SECONDS = 10.0


def up(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Serve everything in one process: API, orchestrator, worker and the page."""
    from moviola.settings import scheme
    from moviola.telemetry import configure_logging
    from moviola_api.guard import is_open, refuse_open_host
    from moviola_cli.data_dir import held_data_dir
    from moviola_cli.effective_settings import effective_settings

    flags = {"host": host, "port": port, "data_dir": data_dir}
    # Two at once, so that a short task is not kept waiting behind a long one.
    preset = {"worker_capacity": max(2, (os.cpu_count() or 1) // 4), "drain_seconds": _DRAIN_SECONDS}
    effective = effective_settings(flags, command="moviola up", preset=preset)
    settings = effective.settings
    if is_open(settings) and scheme(settings.database_url) == "sqlite" and not settings.database_path().exists():
        refuse_open_host(settings, keys=False)  # nothing was ever kept here, so there are no keys
    refuse_taken_port(settings.host, settings.port)
    with held_data_dir(settings.data_dir):
        configure_logging(settings, "moviola")
        _print_settings(effective)
        asyncio.run(_up(settings))


async def _up(settings: "Settings") -> None:
    from moviola.infrastructure import open_infrastructure
    from moviola_cli.embedded import run_embedded
    from moviola_cli.interrupts import stopping_on_signals
    from moviola_cli.sample import offered_sample

    patience = (
        f"Stopping: what runs has {settings.drain_seconds:g} s to finish, the rest goes on at the next start. "
        "Ctrl-C again stops at once."
    )
    with stopping_on_signals(patience) as stopping:
        async with open_infrastructure(settings) as parts, offered_sample(settings.data_dir) as sample:
            await run_embedded(
                parts, settings, stopping=stopping, on_ready=lambda address: _print_invitation(address, sample)
            )


def api(host: Host = None, port: Port = None) -> None:
    """Serve the API alone."""
    from moviola_api.serve import serve

    settings = _service_settings("api", {"host": host, "port": port})
    refuse_taken_port(settings.host, settings.port)
    _serve(lambda: serve(settings))


def orchestrator() -> None:
    """Run the orchestrator alone; any number of them may run."""
    from moviola_orchestrator.serve import serve

    settings = _service_settings("orchestrator", {})
    _serve(lambda: serve(settings))


def worker(
    steps: Annotated[
        str | None, typer.Option(help="What it takes, by comma: trim,resize. [default: all]", show_default=False)
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(help="How many tasks at once. [default: 1]", show_default=False, min=1)
    ] = None,
) -> None:
    """Run a worker alone, for all steps or some."""
    from moviola.plan import KINDS
    from moviola_workers.serve import serve

    wanted = list(dict.fromkeys(name.strip() for name in steps.split(","))) if steps is not None else list(KINDS)
    kinds = [kind for kind in KINDS if kind in wanted]
    if unknown := [name for name in wanted if name not in KINDS]:
        raise BadUse(f"There is no step {unknown[0]!r}; a worker can take {', '.join(KINDS)}.")
    settings = _service_settings("worker", {"worker_capacity": capacity})
    _serve(lambda: serve(settings, kinds))


def migrate() -> None:
    """Bring the database's schema to this version."""
    from moviola.infrastructure import open_infrastructure
    from moviola.settings import redacted
    from moviola_cli.interrupts import run_interruptible

    settings = _service_settings("migrate", {}, shared=False)

    async def bring_up_to_date() -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        async with open_infrastructure(settings, parts=["store"]) as parts:
            await parts.store.migrate()

    run_interruptible(bring_up_to_date())
    typer.echo(f"The database {redacted(settings.database_url)} has this version's schema.")


def _service_settings(service: str, flags: dict[str, object], *, shared: bool = True) -> "Settings":
    from moviola.settings import scheme
    from moviola_cli.effective_settings import effective_settings

    settings = effective_settings(flags).settings
    if shared and scheme(settings.bus_url) == "memory":
        raise BadUse(
            f"The {service} alone needs a bus that others can reach: set MOVIOLA_BUS_URL=amqp://…, "
            "or run everything in one process with `moviola up`."
        )
    return settings


def _serve(service: Callable[[], Awaitable[None]]) -> None:
    async def until_stopped() -> None:
        await service()

    asyncio.run(until_stopped())


def refuse_taken_port(host: str, port: int) -> None:
    """``BadUse`` where another program listens, before anything has been started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the server will: a port that a closed connection still lingers on is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadUse(f"Port {port} at {host} can't be had: {error.strerror}; choose another --port.") from error


def _print_settings(effective: "EffectiveSettings") -> None:
    from moviola import __version__

    typer.echo(f"Moviola {__version__} with these settings:")
    for name, value, origin in effective.lines():
        typer.echo(f"  {name:<22} {value:<28} {origin}")


def _print_invitation(address: str, sample: Path) -> None:
    from moviola.client import DEFAULT_URL

    elsewhere = "" if address == DEFAULT_URL else f" --url {address}"
    typer.echo(f"\nOpen {address}")
    typer.echo(f"Try a clip: {_own_name()} submit {sample} --wait{elsewhere}")
    typer.echo(f"        or: curl -F file=@{sample} {address}/v1/videos")
    typer.echo("Ctrl-C stops it.")
    sys.stdout.flush()


def _own_name() -> str:
    """The command as the reader can type it here."""
    from shutil import which

    called = Path(sys.argv[0])
    found = which("moviola")
    if found is not None and called.exists() and os.path.samefile(found, called):
        return "moviola"
    try:
        return str(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(called)
