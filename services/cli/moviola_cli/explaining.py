"""The commands that ask a server why: `explain | history | replay`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import BadUse, Outcome
from moviola_cli.remote import HERE, AsJson, Url, VideoId, with_client

if TYPE_CHECKING:
    from moviola.client import Client
    from moviola.documents import EntryDocument
    from moviola.video import HistoryEntry
    from moviola_cli.progress_display import ProgressDisplay

At = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what had happened by then; RFC 3339.", show_default=False)
]
Run = Annotated[str | None, typer.Option(help="Only this run, by its id.", show_default=False)]


def explain(video_id: VideoId, url: Url = HERE, as_json: AsJson = False) -> int:
    """Say in plain words why a video is where it is now."""

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        explanation = await client.explain(video_id)
        if as_json:
            typer.echo(explanation.model_dump_json(by_alias=True, indent=2))
            return Outcome.DONE
        typer.echo(explanation.sentence)
        if explanation.advice is not None:
            typer.echo(explanation.advice)
        return Outcome.DONE

    return with_client(url, ask)


def history(video_id: VideoId, run: Run = None, at: At = None, url: Url = HERE, as_json: AsJson = False) -> int:
    """Print every transition of a video with its cause, a line each."""

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        async for entry in client.history(video_id, run=run, at=_time(at)):
            typer.echo(entry.model_dump_json() if as_json else _line(entry))
        return Outcome.DONE

    return with_client(url, ask)


def replay(video_id: VideoId, at: At = None, url: Url = HERE, as_json: AsJson = False) -> int:
    """Walk a video's history through the state machine again; the status is 1 where that can't be."""

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        entries = [_record(video_id, entry) async for entry in client.history(video_id, at=_time(at))]
        for line in _replayed(entries, as_json):
            typer.echo(line)
        return Outcome.DONE

    return with_client(url, ask)


def _replayed(entries: Sequence["HistoryEntry"], as_json: bool) -> list[str]:
    import json

    from moviola_orchestrator.replay import replay as replay_entries

    runs = replay_entries(entries).values()
    if as_json:
        return [
            json.dumps(
                {
                    "run_id": run.run_id,
                    "state": run.state,
                    "entries": run.entries,
                    "passes": {n: {"state": t.state, "attempt": t.attempt} for n, t in run.tasks.items()},
                }
            )
            for run in runs
        ]
    if not runs:
        return ["Nothing had happened by then."]
    return [line for run in runs for line in (
        f"run {run.run_id}: {run.state}; all {run.entries} entries follow from each other",
        *(f"  {name:<12} {task.state}, attempt {task.attempt}" for name, task in run.tasks.items()),
    )]  # fmt: skip


def _record(video_id: str, entry: "EntryDocument") -> "HistoryEntry":
    from moviola.video import DEFAULT_TENANT, HistoryEntry, RunId
    from moviola.video import VideoId as Id

    known = entry.model_dump(exclude={"run_id"})
    return HistoryEntry(video_id=Id(video_id), run_id=RunId(entry.run_id), tenant=DEFAULT_TENANT, **known)


def _line(entry: "EntryDocument") -> str:
    move = f"{entry.previous or '-'} → {entry.state}"
    return f"{entry.at:%Y-%m-%d %H:%M:%S.%f}Z  {entry.subject:<12} {move:<26} {entry.cause}"


def _time(at: str | None) -> str | None:
    """In UTC as the server takes it; ``BadUse`` for what is no time, or one without a zone."""
    from datetime import UTC, datetime

    if at is None:
        return None
    try:
        time = datetime.fromisoformat(at)
    except ValueError as error:
        raise BadUse(f"{at!r} is no time; one looks like 2026-01-02T12:04:05Z.") from error
    if time.tzinfo is None:
        raise BadUse(f"{at!r} has no zone; add Z for UTC.")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
