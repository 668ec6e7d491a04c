"""`moviola doctor`: what is installed, reachable and missing, and for each trouble the next command to type."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from moviola_cli.examination import Finding

_FIRST = "make install"
_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "missing": ("missing", "red")}


def doctor(
    url: Annotated[
        str | None, typer.Option(envvar="MOVIOLA_URL", help="Also look at this server.", show_default=False)
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept. [default: .moviola]", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> int:
    """Say what is installed, reachable and missing; the status is 1 where something needed is missing."""
    from moviola.telemetry import configure_logging
    from moviola_cli.effective_settings import effective_settings
    from moviola_cli.examination import examine
    from moviola_cli.interrupts import run_interruptible

    settings = effective_settings({"data_dir": data_dir}).settings
    configure_logging(settings, "doctor")
    # What a driver has to say of a server that is away is in the finding; its log would only hide that.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        findings = [*_installed(), *run_interruptible(examine(settings, url))]
    finally:
        logging.disable(before)
    _print_json(findings) if as_json else _print_lines(findings)
    return Outcome.FAILED if any(one.verdict == "missing" for one in findings) else Outcome.DONE


def _installed() -> "Iterator[Finding]":
    """Moviola itself, and the libraries that decode, encode and draw."""
    import platform
    from importlib import resources
    from importlib.metadata import PackageNotFoundError, version

    from moviola import __version__
    from moviola_cli.examination import Finding

    yield Finding("moviola", "ok", f"{__version__} on Python {platform.python_version()}, {sys.executable}")
    yield _media()
    try:
        yield Finding("pillow", "ok", version("pillow"))
    except PackageNotFoundError:
        yield Finding("pillow", "missing", "text watermarks are drawn with it", _FIRST)
    fonts = sorted(
        one.name for one in _files(resources.files("moviola_workers")) if one.name.endswith((".ttf", ".otf"))
    )
    if fonts:
        yield Finding("font", "ok", ", ".join(fonts))
    else:
        yield Finding("font", "missing", "text watermarks are written with the font of the package", _FIRST)


def _media() -> "Finding":
    from moviola_cli.examination import Finding

    try:
        import av
        import av.codec
    except ImportError as error:
        return Finding("av", "missing", f"it can't be loaded: {error}", _FIRST)
    encoders = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "aac", "libopus")
    if lacking := [name for name in encoders if name not in av.codec.codecs_available]:
        return Finding("av", "missing", f"{av.__version__} lacks the encoder {', '.join(lacking)}", _FIRST)
    return Finding("av", "ok", f"{av.__version__} with FFmpeg {av.ffmpeg_version_info}, encoders {', '.join(encoders)}")


def _files(folder: "Traversable") -> "Iterator[Traversable]":
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one)
        else:
            yield one


def _print_json(findings: "list[Finding]") -> None:
    import json
    from dataclasses import asdict

    healthy = all(one.verdict != "missing" for one in findings)
    typer.echo(json.dumps({"healthy": healthy, "findings": [asdict(one) for one in findings]}, indent=2))


def _print_lines(findings: "list[Finding]") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for one in findings:
        word, colour = _MARKS[one.verdict]
        console.print(Text(f"{word:<8}", style=colour), Text(f"{one.subject:<12} {one.detail}"), sep="")
        if one.advice:
            console.print(Text(f"{'':<8}{'':<12} → {one.advice}"))
    sys.stdout.flush()
