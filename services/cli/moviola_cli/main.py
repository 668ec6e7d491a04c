"""The `moviola` command. Each command's module is light; what it works with is imported when it runs."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from moviola_cli import again, dead_letters, doctor, explaining, keys, probing, processing, remote, schema, serving
from moviola_cli.outcome import Outcome, outcome_of

app = typer.Typer(
    name="moviola",
    help="Moviola processes videos: trim, resize, watermark, mute, posters.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RUN, FILES, SERVER, OPERATE = "Serve", "One file, here", "Talk to a server", "Operate"
ASK_WHY = "Ask a server why"
for panel, commands in {
    RUN: (serving.up, serving.api, serving.orchestrator, serving.worker),
    FILES: (processing.process, probing.probe, processing.sample),
    SERVER: (
        remote.submit,
        remote.list_,
        remote.show,
        remote.watch,
        remote.cancel,
        again.retry,
        again.reprocess,
        again.runs,
        remote.download,
    ),
    ASK_WHY: (explaining.explain, explaining.history, explaining.replay),
    OPERATE: (doctor.doctor, serving.migrate, schema.schema),
}.items():
    for command in commands:
        app.command(command.__name__.strip("_"), rich_help_panel=panel)(command)
app.add_typer(keys.app, name="keys", rich_help_panel=OPERATE)


app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=OPERATE)


def _print_version(wanted: bool) -> None:
    if wanted:
        from moviola import __version__

        typer.echo(f"moviola {__version__}")
        raise typer.Exit


@app.callback()
def moviola(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Moviola processes videos: trim, resize, watermark, mute, posters."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; whatever goes wrong is one line on stderr."""
    try:
        result = app(args=arguments, prog_name="moviola", standalone_mode=False)
    except typer.Abort:
        return Outcome.INTERRUPTED
    except typer.TyperException as error:
        return _complain(Outcome.BAD_USE, error.format_message())
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("MOVIOLA_LOG_LEVEL", "").lower() == "debug":
            raise
        return _complain(*outcome_of(error))
    if result == Outcome.INTERRUPTED:
        # Typer makes a status of a KeyboardInterrupt by itself, and says nothing.
        return _complain(Outcome.INTERRUPTED, "interrupted")
    return result if isinstance(result, int) else Outcome.DONE


def _complain(outcome: Outcome, sentence: str) -> int:
    one_line = " ".join(sentence.split())
    if one_line:
        sys.stderr.write(f"moviola: {one_line}\n")
    return outcome


def run() -> None:
    """The console script."""
    sys.exit(main())
