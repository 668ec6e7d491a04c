"""`moviola dead-letters list | show | redrive | discard`: messages that could not be handled."""

from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import BadUse, Outcome
from moviola_cli.remote import HERE, AsJson, Url, with_client

if TYPE_CHECKING:
    from pydantic import JsonValue

    from moviola.client import Client
    from moviola.documents import LetterDocument
    from moviola_cli.progress_display import ProgressDisplay

app = typer.Typer(help="Look at messages that could not be handled; send them again or throw them away.")

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="The letters.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All that wait, or all that fit the options.")]
Queue = Annotated[str | None, typer.Option(help="Only those that died in this queue.", show_default=False)]
Type = Annotated[str | None, typer.Option("--type", help="Only messages of this type.", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Only those that died for this.", show_default=False)]


@app.command("list")
def list_(
    queue: Queue = None,
    kind: Type = None,
    reason: Reason = None,
    redriven: Annotated[bool, typer.Option("--redriven", help="Those that were sent again.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """List dead letters, the newest first."""

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        wanted = {"queue": queue, "type": kind, "reason": reason, "redriven": "true" if redriven else None}
        async for letter in client.dead_letters(limit=limit, **wanted):
            typer.echo(letter.model_dump_json(exclude={"headers", "encoding", "body"}) if as_json else _line(letter))
        return Outcome.DONE

    return with_client(url, fetch)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter.")],
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """Show one with its headers and its body."""

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        letter = await client.dead_letter(letter_id)
        if as_json:
            typer.echo(letter.model_dump_json(indent=2))
            return Outcome.DONE
        told = letter.model_dump(mode="json", exclude={"headers", "body"})
        for name, value in (*told.items(), *letter.headers.items()):
            typer.echo(f"{name:<22} {value}")
        typer.echo(letter.body or "")
        return Outcome.DONE

    return with_client(url, fetch)


@app.command()
def redrive(
    ids: Ids = None,
    everything: All = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of them.")] = False,
    queue: Queue = None,
    kind: Type = None,
    reason: Reason = None,
    url: Url = HERE,
) -> int:
    """Send letters again to where they were published; the status is 1 where one can't be."""
    chosen = _chosen(ids, everything, {"queue": queue, "type": kind, "reason": reason})

    async def send(client: "Client", display: "ProgressDisplay") -> int:
        status = Outcome.DONE
        while True:
            page = await client.redrive(dry_run=dry_run, **chosen)
            for one in page.data:
                typer.echo(f"{one.id}  {one.type}  {one.exchange} {one.key}  {one.outcome}")
            sent = [one for one in page.data if one.outcome in ("redriven", "would_be_redriven")]
            status = status if len(sent) == len(page.data) else Outcome.FAILED
            # Those that can't be sent stay, so that a batch without any other would come again and again.
            if not page.more or dry_run or not sent:
                return status

    return with_client(url, send)


@app.command()
def discard(
    ids: Ids = None,
    everything: All = False,
    queue: Queue = None,
    kind: Type = None,
    reason: Reason = None,
    url: Url = HERE,
) -> int:
    """Throw letters away for good."""
    chosen = _chosen(ids, everything, {"queue": queue, "type": kind, "reason": reason})

    async def throw(client: "Client", display: "ProgressDisplay") -> int:
        count, more = 0, True
        while more:
            answer = await client.discard(**chosen)
            count, more = count + answer.discarded, answer.more
        typer.echo(f"{count} discarded")
        return Outcome.DONE

    return with_client(url, throw)


def _chosen(ids: list[str] | None, everything: bool, narrowed: dict[str, str | None]) -> "dict[str, JsonValue]":
    given: dict[str, JsonValue] = {name: value for name, value in narrowed.items() if value is not None}
    if bool(ids) == everything or (ids and given):
        raise BadUse("Name the letters, or say --all, which --queue, --type and --reason may narrow.")
    return {"all": True, **given} if everything else {"ids": list(ids or ())}


def _line(letter: "LetterDocument") -> str:
    when = f"{letter.died_at:%Y-%m-%d %H:%M:%S}"
    return "\t".join((letter.id, when, letter.queue, letter.reason, letter.type, str(letter.size)))
