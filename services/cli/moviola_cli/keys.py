"""`moviola keys create | list | revoke`: the operator's way to API keys, straight to the database."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import BadUse, Outcome

if TYPE_CHECKING:
    from moviola.api_keys import ApiKey
    from moviola.ports.video_store import VideoStore

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
DataDir = Annotated[
    Path | None, typer.Option(help="The embedded system's directory. [default: .moviola]", show_default=False)
]
Tenant = Annotated[str, typer.Option(help="Whose videos it opens.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
# A tenant is part of object keys.
_TENANT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    tenant: Tenant = "default",
    admin: Annotated[bool, typer.Option("--admin", help="It may manage keys over HTTP.")] = False,
    days: Annotated[int | None, typer.Option(help="It expires after so many.", min=1, max=36_500)] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Make a key and print it, this once. From the first one on, every request needs one."""
    import json
    import re

    from moviola import video
    from moviola.api_keys import ADMIN, make_key

    if not re.fullmatch(_TENANT_PATTERN, tenant):
        raise BadUse(f"{tenant!r} is no name for a tenant; it has letters, digits, '-' and '_', at most 63.")
    if not name.strip() or len(name) > 100:
        raise BadUse("A key's name has 1 to 100 characters.")
    now = video.utc_now()
    expires_at = now + timedelta(days=days) if days is not None else None
    scopes = (ADMIN,) if admin else ()
    key, secret = make_key(video.Tenant(tenant), name.strip(), now=now, scopes=scopes, expires_at=expires_at)

    async def add(store: "VideoStore") -> int:
        async with store.transaction() as transaction:
            await transaction.api_keys.add(key)
        typer.echo(json.dumps({"id": key.id, "tenant": tenant, "name": key.name, "key": secret}) if as_json else secret)
        return Outcome.DONE

    return _with_store(data_dir, add)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> int:
    """List all keys, the newest first."""

    async def show(store: "VideoStore") -> int:
        async with store.snapshot() as transaction:
            for key in await transaction.api_keys.all():
                typer.echo(_as_json(key) if as_json else "\t".join(_cells(key)))
        return Outcome.DONE

    return _with_store(data_dir, show)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `moviola keys list` tells it.")],
    tenant: Tenant = "default",
    data_dir: DataDir = None,
) -> int:
    """Make a key good for nothing, at once and for ever."""
    from moviola import video

    async def end(store: "VideoStore") -> int:
        async with store.transaction() as transaction:
            the_one = video.Tenant(tenant), video.KeyId(key_id)
            if not await transaction.api_keys.revoke(*the_one, at=video.utc_now()):
                raise BadUse(f"The tenant {tenant} has no key {key_id}; see `moviola keys list`.")
        typer.echo(f"{key_id} is revoked.")
        return Outcome.DONE

    return _with_store(data_dir, end)


def _cells(key: "ApiKey") -> list[str]:
    from moviola.video import utc_now

    state = "revoked" if key.revoked_at else "expired" if key.expired(utc_now()) else "good"
    used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
    return [key.id, key.tenant, f"{key.hint}…", state, ",".join(key.scopes) or "-", used, key.name]


def _as_json(key: "ApiKey") -> str:
    import json
    from dataclasses import asdict

    return json.dumps({name: value for name, value in asdict(key).items() if name != "sha256"}, default=str)


def _with_store(data_dir: Path | None, act: Callable[["VideoStore"], Awaitable[int]]) -> int:
    """Run *act* on the database that the settings name, brought up to date first."""
    from moviola.infrastructure import open_infrastructure
    from moviola_cli.effective_settings import effective_settings
    from moviola_cli.interrupts import run_interruptible

    settings = effective_settings({"data_dir": data_dir}).settings
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def opened() -> int:
        async with open_infrastructure(settings, parts=["store"]) as parts:
            await parts.store.migrate()
            return await act(parts.store)

    return run_interruptible(opened())
