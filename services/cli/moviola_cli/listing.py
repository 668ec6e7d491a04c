"""Videos on stdout: a table on a terminal, tab-separated lines in a pipe, or JSON, one document a line."""

import sys
from collections.abc import AsyncIterator, Iterator

import typer
from pydantic import ValidationError

from moviola.documents import VideoDocument
from moviola.plan import Pass
from moviola.probe import Probe
from moviola.quality import Quality
from moviola_cli.facts_listing import facts_lines


async def print_videos(videos: AsyncIterator[VideoDocument], *, as_json: bool) -> None:
    """Each video on a line."""
    if as_json:
        async for video in videos:
            typer.echo(video.model_dump_json(by_alias=True))
    elif not sys.stdout.isatty():
        async for video in videos:
            typer.echo("\t".join(_cells(video)))
    else:
        await _print_table(videos)


async def _print_table(videos: AsyncIterator[VideoDocument]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("ID", "Status", "Progress", "Created", "Title", box=None)
    async for video in videos:
        table.add_row(*map(Text, _cells(video)))
    Console().print(table)


def _cells(video: VideoDocument) -> list[str]:
    created = f"{video.created_at:%Y-%m-%d %H:%M:%S}" if video.created_at else "-"
    progress = f"{video.progress:.0%}" if video.progress is not None else "-"
    return [video.id, video.status, progress, created, " ".join(video.title.split())]


def _fact_lines(video: VideoDocument) -> Iterator[tuple[str, str]]:
    """What was uploaded; of a server whose facts are of another form, nothing."""
    found = video.original.probe if video.original is not None else None
    if found is None:
        return
    try:
        facts = Probe.model_validate(found)
    except ValidationError:
        return
    yield from facts_lines(facts)


def _plan_lines(video: VideoDocument) -> Iterator[tuple[str, str]]:
    """What it costs, each pass with the steps that it covers, and what was not as the recipe says."""
    if video.plan is None:
        return
    count = video.plan.generations
    borders = ", only at the borders of the cut" if video.plan.partial else ""
    others = {name: of for name, of in video.plan.generations_of.items() if of != count}
    differing = "".join(f"; {of} of {name}" for name, of in others.items())
    yield "plan", f"{count} lossy generation{'' if count == 1 else 's'}{borders}{differing}"
    for one in video.plan.passes:
        covered = ", ".join(video.steps[index].step for index in one.covers if index < len(video.steps))
        yield "pass", f"{one.name}{f' ({covered})' if covered else ''}: {_cost(one)}"
    for warning in video.plan.warnings:
        yield "warning", warning.message


def _quality_lines(quality: Quality | None) -> Iterator[tuple[str, str]]:
    """How many checks the files passed, and each that they did not."""
    if quality is None:
        return
    passed = sum(check.ok for check in quality.checks)
    seen = "every frame" if quality.every_frame else "samples"
    yield "quality", f"{passed} of {len(quality.checks)} checks passed, {seen} decoded"
    for check in (*quality.failed, *quality.warnings):
        yield check.level, check.sentence()


def _cost(one: Pass) -> str:
    if not one.lossy:
        return "encodes nothing"
    return "encodes anew" if one.encoded_seconds is None else f"encodes at most {one.encoded_seconds:.2f} s anew"


def print_details(video: VideoDocument, *, as_json: bool) -> None:
    """All that there is to say of one video."""
    if as_json:
        typer.echo(video.model_dump_json(by_alias=True, indent=2))
        return
    state = f" ({video.state})" if video.state not in (None, video.status) else ""
    lines = [("id", video.id), ("title", video.title), ("status", f"{video.status}{state}")]
    if video.progress is not None:
        lines.append(("progress", f"{video.progress:.0%}"))
    if video.eta_seconds:
        lines.append(("left", f"about {video.eta_seconds:.0f} s"))
    if video.tags:
        lines.append(("tags", ", ".join(video.tags)))
    if video.failure:
        lines.append(("failure", f"{video.failure.code}: {video.failure.message}"))
    lines += _fact_lines(video)
    lines += _plan_lines(video)
    lines += _quality_lines(video.quality)
    lines += [("step", f"{one.step} {one.state}{', from the cache' if one.cached else ''}") for one in video.steps]
    lines += [("file", f"{one.name} {one.size} bytes sha256 {one.sha256}") for one in video.files]
    for name, value in lines:
        typer.echo(f"{name:<9} {value}")
