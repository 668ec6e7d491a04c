"""The commands that have a video processed again: `retry | reprocess`, and `runs`, which lists what came of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from moviola_cli.outcome import Outcome
from moviola_cli.processing import Fit
from moviola_cli.remote import HERE, AsJson, Url, VideoId, follow, print_video, recipe_text, with_client

if TYPE_CHECKING:
    from moviola.client import Client
    from moviola_cli.progress_display import ProgressDisplay
    from moviola_cli.recipe_flags import RecipeFlags

Wait = Annotated[bool, typer.Option("--wait", help="Watch until it has ended; status 1 where it fails.")]


def retry(video_id: VideoId, wait: Wait = False, url: Url = HERE, as_json: AsJson = False) -> int:
    """Do what a video's last run has not done, after it failed or was canceled."""

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        video = await client.retry(video_id)
        if wait and video.last_run is not None:
            return await follow(client, video_id, display, as_json, run_id=video.last_run.id)
        print_video(video, as_json)
        return Outcome.DONE

    return with_client(url, ask)


def reprocess(
    video_id: VideoId,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="A recipe's JSON file or name; the flags override a file's steps."),
    ] = None,
    start: Annotated[str | None, typer.Option(help="Where it begins: seconds or 1:30.")] = None,
    end: Annotated[str | None, typer.Option(help="Where it ends: seconds or 1:30.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    fit: Annotated[Fit | None, typer.Option(help="Letterbox, crop or distort.")] = None,
    watermark_text: Annotated[str | None, typer.Option(help="A text to lay over it.")] = None,
    mute: Annotated[bool, typer.Option("--mute", help="Remove the sound.")] = False,
    priority: Annotated[int | None, typer.Option(help="From -100 to 100, higher first.", min=-100, max=100)] = None,
    wait: Wait = False,
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """Process a video again with another recipe; what it has is served until the new files are ready."""
    from moviola_cli.recipe_flags import RecipeFlags, parse_time

    flags = RecipeFlags(
        start=parse_time(start) if start is not None else None,
        end=parse_time(end) if end is not None else None,
        width=width,
        height=height,
        fit=fit,
        text=watermark_text,
        mute=mute,
    )
    wanted = _wanted(recipe, flags)

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        run = await client.reprocess(video_id, recipe=wanted, priority=priority)
        if wait:
            return await follow(client, video_id, display, as_json, run_id=run.id)
        typer.echo(run.model_dump_json(indent=2) if as_json else f"{run.id} {run.state} run {run.number} of {video_id}")
        return Outcome.DONE

    return with_client(url, ask)


def runs(video_id: VideoId, url: Url = HERE, as_json: AsJson = False) -> int:
    """List a video's runs, the newest first."""

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        for run in await client.runs(video_id):
            why = f" {run.failure.code}: {run.failure.message}" if run.failure else ""
            line = f"{run.number}\t{run.id}\t{run.state}{' (serves)' if run.serving else ''}{why}"
            typer.echo(run.model_dump_json() if as_json else line)
        return Outcome.DONE

    return with_client(url, fetch)


def _wanted(recipe: str | None, flags: "RecipeFlags") -> str | None:
    """The recipe as the server takes it; None: the video's own."""
    from moviola.recipe import BUILT_IN, parse_recipe
    from moviola_cli.recipe_flags import RecipeFlags, compose_recipe

    text = recipe_text(recipe)
    if flags == RecipeFlags():
        return text
    base = None if text is None else BUILT_IN.get(text) or parse_recipe(text.encode())
    return compose_recipe(flags, base).model_dump_json(exclude_none=True)
