"""The commands that talk to a server: `submit | list | show | watch | cancel | download`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moviola_cli.outcome import BadUse, Outcome

if TYPE_CHECKING:
    from moviola.client import Client
    from moviola.documents import VideoDocument
    from moviola_cli.progress_display import ProgressDisplay

Url = Annotated[str, typer.Option(envvar="MOVIOLA_URL", help="The server. MOVIOLA_API_KEY, where set, is sent along.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
VideoId = Annotated[str, typer.Argument(metavar="ID", help="The video.")]
Status = Literal["waiting_upload", "queued", "processing", "ready", "failed", "canceled"]
HERE = "http://127.0.0.1:8080"


def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The videos.")],
    recipe: Annotated[
        str | None, typer.Option(metavar="FILE|NAME", help="A recipe's JSON file or name. [default: showcase]")
    ] = None,
    title: Annotated[str | None, typer.Option(help="A title; the file's name otherwise.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    priority: Annotated[
        int | None, typer.Option(help="From -100 to 100, higher first. [default: 0]", min=-100, max=100)
    ] = None,
    watermark: Annotated[
        Path | None, typer.Option(help='The image that the recipe means by `"image": "watermark"`.')
    ] = None,
    captions: Annotated[
        list[str] | None,
        typer.Option(metavar="LANGUAGE=FILE", help="WebVTT or SRT for the recipe's HLS package; may be repeated."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch until all have ended.")] = False,
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """Upload videos; with --wait the status is 1 where one fails."""
    from moviola_cli.captions_flag import captions_by_language

    texts = captions_by_language(captions)
    parts = {f"captions-{language}": path for language, path in texts.items()}
    for path in [*files, *filter(None, [watermark])]:
        if not path.is_file():
            raise BadUse(f"There is no file {path}.")
    wanted = recipe_text(recipe) if not texts else _with_captions(recipe, tuple(texts))

    async def upload_all(client: "Client", display: "ProgressDisplay") -> int:
        videos = []
        for path in files:
            told = _byte_count(display, f"upload {path.name}", path.stat().st_size)
            video = await client.submit(
                path,
                recipe=wanted,
                title=title,
                tags=tuple(tag or ()),
                priority=priority,
                watermark=watermark,
                captions=parts,
                progress=told,
            )
            if not wait:
                print_video(video, as_json)
            videos.append(video)
        outcomes = [await follow(client, video.id, display, as_json) for video in videos if wait]
        return max(outcomes, default=Outcome.DONE)

    return with_client(url, upload_all)


def list_(
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only those whose title or name has it.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 20,
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """List videos, the newest first."""

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        from moviola_cli.listing import print_videos

        await print_videos(client.videos(limit=limit, status=status, tag=tag, q=query), as_json=as_json)
        return Outcome.DONE

    return with_client(url, fetch)


def show(video_id: VideoId, url: Url = HERE, as_json: AsJson = False) -> int:
    """Show one video: how far it is, its files, why it failed."""

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        from moviola_cli.listing import print_details

        video = await client.get(video_id)
        print_details(video, as_json=as_json)
        return Outcome.DONE

    return with_client(url, fetch)


def watch(video_id: VideoId, url: Url = HERE, as_json: AsJson = False) -> int:
    """Watch one video until it has ended; the status is 1 where it fails."""
    return with_client(url, lambda client, display: follow(client, video_id, display, as_json))


def cancel(
    video_id: VideoId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing of it runs any more.")] = False,
    url: Url = HERE,
    as_json: AsJson = False,
) -> int:
    """Cancel what runs for a video."""

    async def ask(client: "Client", display: "ProgressDisplay") -> int:
        video = await client.cancel(video_id)
        if wait:
            run = video.last_run
            video = [one async for one in client.watch(video_id, run_id=run.id if run else None)][-1]
        print_video(video, as_json)
        return Outcome.DONE

    return with_client(url, ask)


def download(
    video_id: VideoId,
    name: Annotated[
        str | None, typer.Argument(help="Which file, or hls for all of that. [default: the result]", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to. [default: its name, here]", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace OUTPUT.")] = False,
    url: Url = HERE,
) -> int:
    """Download a result, resumed where it was interrupted and verified by its SHA-256."""
    from moviola.plan import HLS, is_result

    if name == HLS:
        return _download_package(video_id, output or Path(HLS), force=force, url=url)
    if name is not None or (output is not None and not output.is_dir()):
        _place_for(name or "", output, force=force)  # what is in the way is told before a server is asked

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        video = await client.get(video_id)
        file = next((one for one in video.files if one.name == name or (name is None and is_result(one.name))), None)
        if file is None:
            there = ", ".join(one.name for one in video.files) or f"none yet: it is {video.status}"
            raise BadUse(f"The video has no {f'file {name}' if name else 'result'}; there is {there}.")
        place = _place_for(file.name, output, force=force)
        await client.download(video_id, file, place, progress=_byte_count(display, f"download {file.name}", file.size))
        typer.echo(f"{place}: {file.size} bytes, sha256 {file.sha256}")
        return Outcome.DONE

    return with_client(url, fetch)


def _download_package(video_id: str, directory: Path, *, force: bool, url: str) -> int:
    """All files of the HLS package, as a tree that plays from the disk."""
    from moviola.plan import HLS

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())) and not force:
        raise BadUse(f"{directory} exists; --force replaces what is in it, -o names another.")
    if not directory.parent.is_dir():
        raise BadUse(f"There is no directory {directory.parent}.")

    async def fetch(client: "Client", display: "ProgressDisplay") -> int:
        video = await client.get(video_id)
        # What a server says must not lead out of the directory.
        files = [one for one in video.files if one.name == f"{HLS}/{Path(one.name).name}"]
        if not files:
            raise BadUse(f"The video has no HLS package: it is {video.status}.")
        await asyncio.to_thread(directory.mkdir, exist_ok=True)
        for file in files:
            place = directory / Path(file.name).name
            told = _byte_count(display, f"download {file.name}", file.size)
            await client.download(video_id, file, place, progress=told)
        typer.echo(f"{directory}: {len(files)} files, {sum(file.size for file in files)} bytes")
        return Outcome.DONE

    return with_client(url, fetch)


def _place_for(name: str, output: Path | None, *, force: bool) -> Path:
    """Where the file of that name is put; ``BadUse`` where something is in the way."""
    target = output or Path(Path(name).name)
    if target.is_dir():
        target /= Path(name).name
    if target.exists() and not force:
        raise BadUse(f"{target} exists; --force replaces it, -o names another.")
    if not target.parent.is_dir():
        raise BadUse(f"There is no directory {target.parent}.")
    return target


def with_client(url: str, act: Callable[["Client", "ProgressDisplay"], Awaitable[int]]) -> int:
    """Run *act*; a server that can't be reached is told together with what to type next."""
    import os

    from moviola.client import ServerUnreachable, connect
    from moviola_cli.interrupts import run_interruptible
    from moviola_cli.progress_display import progress_display

    async def connected() -> int:
        async with connect(url, api_key=os.environ.get("MOVIOLA_API_KEY")) as client:
            with progress_display() as display:
                return await act(client, display)

    try:
        return run_interruptible(connected())
    except ServerUnreachable as error:
        advice = "start one with `moviola up`, or name another with --url"
        raise ServerUnreachable(url, f"{error.reason}; {advice}") from error


async def follow(
    client: "Client", video_id: str, display: "ProgressDisplay", as_json: bool, *, run_id: str | None = None
) -> int:
    """Show how the video, or that run of it, goes on; ``VideoFailed`` where it doesn't end well."""
    from moviola_cli.outcome import VideoFailed
    from moviola_cli.progress_display import label

    last, said = None, None
    async for video in client.watch(video_id, run_id=run_id):
        last = video
        if video.state != said:
            said = video.state
            display.say(f"{video.title or video.id}: {video.state or video.status}")
        passes: dict[str, list[str]] = {}
        for step in video.steps:
            passes.setdefault(step.pass_name or step.step, []).append(step.step)
        for step in video.steps:
            name = step.pass_name or step.step
            if step.state != "pending" and step.progress is not None:
                display.update(label(name, passes[name]), step.progress)
    if last is None:
        raise AssertionError("watching yields the video at least once")
    run = last.last_run if run_id is not None else None
    if (run.state if run else last.status) == "ready":
        print_video(last, as_json)
        return Outcome.DONE
    failure = run.failure if run else last.failure
    error = VideoFailed(failure.code, failure.message) if failure else VideoFailed("video.canceled", "It was canceled.")
    raise error


def recipe_text(recipe: str | None) -> str | None:
    """The recipe as the server takes it: the file's JSON, checked here already, or a name that the server may know."""
    if recipe is None or not Path(recipe).is_file():
        if recipe is not None and ("/" in recipe or recipe.endswith(".json")):
            raise BadUse(f"There is no recipe file {recipe}.")
        return recipe
    from moviola.recipe import parse_recipe

    return parse_recipe(Path(recipe).read_bytes()).model_dump_json(exclude_none=True)


def _with_captions(recipe: str | None, languages: Sequence[str]) -> str:
    """The recipe, which has to be known here, with captions in those languages in its package."""
    from moviola_cli.processing import read_recipe
    from moviola_cli.recipe_flags import RecipeFlags, compose_recipe

    flags = RecipeFlags(captions={language: f"captions-{language}" for language in languages})
    return compose_recipe(flags, read_recipe(recipe or "showcase")).model_dump_json(exclude_none=True)


def print_video(video: "VideoDocument", as_json: bool) -> None:
    line = f"{video.id} {video.status} {video.title}"
    typer.echo(video.model_dump_json(by_alias=True, indent=2) if as_json else line)


def _byte_count(display: "ProgressDisplay", name: str, total: int) -> Callable[[int], None]:
    moved = 0

    def count(more: int) -> None:
        nonlocal moved
        moved += more
        display.update(name, min(1.0, moved / total) if total else 1.0)

    return count
