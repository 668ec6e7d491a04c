"""Videos as a resource: list, show, change, delete, cancel, dry run."""

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from moviola.errors import Conflict, InvalidInput
from moviola.messages import VideoCancelRequested, VideoDeleteRequested
from moviola.plan import Plan
from moviola.planner import compile_plan
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction, VideoFilter, VideoWithRuns
from moviola.recipe import Recipe, field_errors
from moviola.video import TERMINAL_RUN_STATES, Status, Video, VideoState, awaits_run, utc_now
from moviola_api.bodies import RequestBody, read_json
from moviola_api.context import context_of, tenant_of
from moviola_api.cursors import cursor_after, read_cursor
from moviola_api.documents import CostedPlan, PlanDocument, VideoList
from moviola_api.forecast import costed
from moviola_api.lookup import Sight, find, see, sight_of, video_id_of
from moviola_api.presentation import document_of, json_response
from moviola_api.rewriting import rewritten
from moviola_api.wishes import Metadata, Tags, Title, recipe_at, requested_recipe, without_repetition

# Two clients who change one video at once: the second one's change is made anew on what the first one wrote.


class ListQuery(BaseModel):
    """What ``GET /v1/videos`` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status | None = None
    tag: str | None = Field(default=None, min_length=1, max_length=64)
    q: str | None = Field(default=None, min_length=1, max_length=200)
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200)


class VideoPatch(RequestBody):
    """What may be changed; what is left out stays, lists and maps are replaced whole."""

    title: Title | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None

    @field_validator("tags")
    @classmethod
    def _once_each(cls, tags: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return without_repetition(tags) if tags is not None else None


def _validated(model: type[RequestBody] | type[BaseModel], value: object) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error


async def list_videos(request: web.Request) -> web.Response:
    """The newest first."""
    query = ListQuery.model_validate(_validated(ListQuery, dict(request.query)).model_dump())
    wanted = VideoFilter(tenant=tenant_of(request), status=query.status, tag=query.tag, text=query.q)
    before = read_cursor(query.cursor, wanted) if query.cursor is not None else None
    async with context_of(request).store.snapshot() as transaction:
        found = await transaction.videos.page(wanted, limit=query.limit + 1, before=before)
        sights = [await see(transaction, one) for one in found[: query.limit]]
    more = len(found) > query.limit
    return json_response(
        VideoList(
            data=tuple(document_of(request, sight) for sight in sights),
            next_cursor=cursor_after(sights[-1].video.id, wanted) if more else None,
        )
    )


async def show_video(request: web.Request) -> web.Response:
    return json_response(document_of(request, await sight_of(request)))


async def change_video(request: web.Request) -> web.Response:
    """Title, tags and metadata."""
    patch = _validated(VideoPatch, await read_json(request))
    changes = {name: value for name, value in patch.model_dump(exclude_unset=True).items() if value is not None}
    return json_response(document_of(request, await _write(request, lambda _, video: replace(video, **changes))))


async def delete_video(request: web.Request) -> web.Response:
    """Leave a tombstone without anything personal in it, and ask for the objects to be removed."""

    def tombstone(_: VideoWithRuns, video: Video) -> Video:
        return replace(video, state=VideoState.DELETED, title="", filename="", tags=(), metadata={}, recipe=None)

    await _write(request, tombstone, lambda video: VideoDeleteRequested(video_id=video.id, tenant=video.tenant))
    return web.Response(status=204)


async def cancel_video(request: web.Request) -> web.Response:
    """Ask for the run to be stopped; asking again is not an error, a run that has ended is."""

    def canceled(found: VideoWithRuns, video: Video) -> Video:
        ended = found.latest is not None and found.latest.state in TERMINAL_RUN_STATES
        if found.latest is not None and ended and not awaits_run(video, found.latest):
            message = f"The video is {found.latest.state.value} already."
            raise Conflict(message, code="video.finished")
        return replace(video, cancel_requested_at=utc_now())

    sight = await _write(request, canceled, lambda video: VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    return json_response(document_of(request, sight), status=202)


async def _write(
    request: web.Request,
    change: Callable[[VideoWithRuns, Video], Video],
    event: Callable[[Video], VideoCancelRequested | VideoDeleteRequested] | None = None,
) -> Sight:
    """Save what *change* makes of the video and post *event* with it; the video as it is afterwards."""
    store = context_of(request).store
    return await rewritten(store, lambda transaction: _write_once(request, transaction, change, event))


async def _write_once(
    request: web.Request,
    transaction: Transaction,
    change: Callable[[VideoWithRuns, Video], Video],
    event: Callable[[Video], VideoCancelRequested | VideoDeleteRequested] | None,
) -> Sight:
    found = await find(transaction, tenant_of(request), video_id_of(request))
    changed = replace(change(found, found.video), updated_at=utc_now())
    await transaction.videos.save(changed)
    if event is not None:
        await transaction.outbox.add([post(event(changed))])
    return await see(transaction, VideoWithRuns(changed, found.latest, found.serving))


async def plan_video(request: web.Request) -> web.Response:
    """Compile a recipe, or the video's own, against the facts of its file; nothing is started."""
    body = await read_json(request, optional=True)
    _validated(PlanRequest, body)
    sight = await sight_of(request)
    recipe = requested_recipe(body["recipe"]) if "recipe" in body else sight.video.recipe
    facts = next((run.probe for run in (sight.latest, sight.serving) if run is not None and run.probe), None)
    if facts is None:
        raise Conflict("The facts of the file are not known yet.", code="video.not_probed")
    with recipe_at():
        compiled = compile_plan(recipe, facts, fusion=context_of(request).settings.fusion)
    plan = await _costed(request, sight, compiled, recipe)
    return json_response(PlanDocument(plan=plan, generations=plan.generations, passes=len(plan.passes)))


async def _costed(request: web.Request, sight: Sight, plan: Plan, recipe: Recipe | None) -> CostedPlan:
    context = context_of(request)
    original = sight.video.sha256 or (sight.latest.source_sha256 if sight.latest is not None else None)
    async with context.store.snapshot() as view:
        return await costed(plan, view, context.settings, tenant=sight.video.tenant, original=original, recipe=recipe)


class PlanRequest(RequestBody):
    """``recipe`` as in ``POST /v1/videos``; left out, it is the video's own."""

    recipe: dict[str, object] | str | None = None
