"""A video's runs, from the one that was asked for last to the first."""

from aiohttp import web

from moviola.errors import NotFound
from moviola.ports.video_store import Transaction, VideoWithRuns
from moviola.video import Run, Video, awaits_run
from moviola_api.context import context_of, tenant_of
from moviola_api.documents import FileDocument, RunDetails, RunList
from moviola_api.lookup import find, run_id_of, video_id_of
from moviola_api.presentation import json_response


async def list_runs(request: web.Request) -> web.Response:
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id_of(request))
        return json_response(RunList(data=tuple(await _details(transaction, found))))


async def show_run(request: web.Request) -> web.Response:
    run_id = run_id_of(request)
    async with context_of(request).store.snapshot() as transaction:
        found = await find(transaction, tenant_of(request), video_id_of(request))
        return json_response(await details_of(transaction, found, run_id))


async def details_of(transaction: Transaction, found: VideoWithRuns, run_id: str) -> RunDetails:
    """One run of the video, be it only asked for; ``NotFound``."""
    for one in await _details(transaction, found):
        if one.id == run_id:
            return one
    raise NotFound("The video has no such run.", code="run.not_found")


async def _details(transaction: Transaction, found: VideoWithRuns) -> list[RunDetails]:
    video, latest = found.video, found.latest
    made = [_run(video, run, found.serving) for run in await transaction.runs.of_video(video.id)]
    if latest is not None and awaits_run(video, latest):
        made.append(RunDetails.awaited(video, latest, video_id=video.id, recipe=video.recipe))
    return made[::-1]


def _run(video: Video, run: Run, serving: Run | None) -> RunDetails:
    folder = f"/v1/videos/{video.id}/runs/{run.id}/files"
    return RunDetails.of(
        run,
        video_id=video.id,
        recipe=run.recipe,
        plan=run.plan,
        files=tuple(FileDocument.of(file, folder) for file in run.files),
        serving=serving is not None and serving.id == run.id,
    )
