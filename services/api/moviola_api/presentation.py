"""From records to what clients are shown: a video with its runs and tasks becomes its document."""

from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel

from moviola.plan import Pass
from moviola.video import TERMINAL_RUN_STATES, Run, RunState, Status, Task, TaskState, Video, awaits_run, status_of
from moviola_api.context import context_of
from moviola_api.documents import FileDocument, OriginalDocument, RunDocument, StepDocument, VideoDocument
from moviola_api.lookup import Sight
from moviola_api.progress import Glimpse, overall


def document_of(request: web.Request, sight: Sight) -> VideoDocument:
    """The video's document with what this replica heard of its run."""
    live = context_of(request).progress.of(sight.latest.id) if sight.latest is not None else {}
    return video_document(sight, live)


def json_response(document: BaseModel, *, status: int = 200) -> web.Response:
    """*document* as JSON, which is true only now."""
    return web.Response(
        text=document.model_dump_json(),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def video_document(sight: Sight, live: Mapping[str, Glimpse]) -> VideoDocument:
    """The document of a video; *live* are the glimpses of its latest run's passes."""
    video, latest, serving = sight.video, sight.latest, sight.serving
    status = status_of(video, latest, serving)
    awaited = latest is not None and awaits_run(video, latest)
    how_far = _how_far(sight, live)
    folder = f"/v1/videos/{video.id}/files"
    facts = next((run.probe for run in (latest, serving) if run is not None and run.probe is not None), None)
    sha256 = video.sha256 or (latest.source_sha256 if latest is not None else None)
    return VideoDocument(
        id=video.id,
        status=status,
        state=_state(sight, status),
        title=video.title,
        tags=video.tags,
        metadata=video.metadata,
        priority=video.priority,
        progress=how_far.done,
        eta_seconds=how_far.eta_seconds,
        recipe=video.recipe,
        plan=latest.plan if latest is not None and not awaited else None,
        steps=_steps(sight, live),
        original=OriginalDocument(
            filename=video.filename, size=video.size, sha256=sha256, probe=facts, url=f"{folder}/original"
        ),
        files=tuple(FileDocument.of(file, folder) for file in serving.files) if serving is not None else (),
        quality=next((run.quality for run in (serving, latest) if run is not None), None),
        failure=latest.failure if latest is not None and status is not Status.READY and not awaited else None,
        last_run=_last_run(video, latest),
        cancel_requested_at=video.cancel_requested_at,
        created_at=video.created_at,
        updated_at=max(video.updated_at, latest.updated_at) if latest is not None else video.updated_at,
    )


def _how_far(sight: Sight, live: Mapping[str, Glimpse]) -> Glimpse:
    if sight.latest is None or awaits_run(sight.video, sight.latest):
        return Glimpse(0.0)
    if sight.serving is not None and sight.latest.state in TERMINAL_RUN_STATES:
        return Glimpse(1.0, 0.0)
    glimpse = overall(sight.latest, sight.tasks, live)
    eta = round(glimpse.eta_seconds, 1) if glimpse.eta_seconds is not None else None
    return Glimpse(round(glimpse.done, 4), eta)


def _state(sight: Sight, status: Status) -> str:
    if sight.latest is None or awaits_run(sight.video, sight.latest):
        return sight.video.state.value
    # A reprocessing that failed or was canceled leaves the video as it was.
    if status is Status.READY and sight.latest.state in TERMINAL_RUN_STATES:
        return RunState.READY.value
    return sight.latest.state.value


def _last_run(video: Video, latest: Run | None) -> RunDocument | None:
    if latest is None:
        return None
    return RunDocument.awaited(video, latest) if awaits_run(video, latest) else RunDocument.of(latest)


def _steps(sight: Sight, live: Mapping[str, Glimpse]) -> tuple[StepDocument, ...]:
    run = sight.latest if not awaits_run(sight.video, sight.latest) else None
    recipe = run.recipe if run is not None else sight.video.recipe
    tasks = {task.name: task for task in sight.tasks}
    passes = run.plan.passes if run is not None and run.plan else ()
    covering = [[one for one in passes if index in one.covers] for index in range(len(recipe.steps if recipe else ()))]
    return tuple(
        _step(step.step, _telling(covering[index], tasks), tasks, live, cached=_cached(covering[index], tasks))
        for index, step in enumerate(recipe.steps if recipe else ())
    )


def _telling(covering: Sequence[Pass], tasks: Mapping[str, Task]) -> Pass | None:
    """Of the passes that make up a step, the one that says how it is: the first that is not done, else the last."""
    unfinished = (one for one in covering if one.name in tasks and tasks[one.name].state is not TaskState.SUCCEEDED)
    return next(unfinished, covering[-1] if covering else None)


def _cached(covering: Sequence[Pass], tasks: Mapping[str, Task]) -> bool:
    """Whether no pass that makes up a step had anything to do."""
    return bool(covering) and all(one.name in tasks and tasks[one.name].cached for one in covering)


def _step(
    name: str, one: Pass | None, tasks: Mapping[str, Task], live: Mapping[str, Glimpse], *, cached: bool
) -> StepDocument:
    task = tasks.get(one.name) if one is not None else None
    if one is None or task is None:
        planned = one.name if one is not None else None
        return StepDocument(step=name, state=TaskState.PENDING, pass_=planned, attempts=0, progress=0.0)
    done = 1.0 if task.state is TaskState.SUCCEEDED else live.get(task.name, Glimpse(0.0)).done
    begun = task.attempt if task.started_at is not None or task.attempt > 1 else 0
    return StepDocument(
        step=name,
        state=task.state,
        pass_=one.name,
        attempts=begun,
        progress=round(done, 4),
        worker=task.worker,
        cached=cached,
    )
