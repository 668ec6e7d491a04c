"""Ask for another run: a retry of the one that failed or was canceled, or one with another recipe.

The API makes no run. It writes on the video which one is wanted, and tells the orchestrator in the same transaction; of
two clients who ask at once one is answered 409.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from aiohttp import web
from pydantic import ValidationError

from moviola.errors import Conflict, InvalidInput
from moviola.messages import VideoReprocessRequested, VideoRetryRequested
from moviola.ports.message_bus import post
from moviola.ports.video_store import Transaction, VideoWithRuns
from moviola.recipe import field_errors
from moviola.video import TERMINAL_RUN_STATES, Run, RunId, RunState, Video, VideoState, awaits_run, new_id, utc_now
from moviola_api import marks
from moviola_api.bodies import RequestBody, read_json
from moviola_api.caption_parts import check_captions
from moviola_api.context import context_of, tenant_of
from moviola_api.idempotency import fingerprint, idempotency_key, refuse_other, under_way
from moviola_api.intake import ACCEPTED
from moviola_api.lookup import find, see, video_id_of
from moviola_api.presentation import document_of, json_response
from moviola_api.rewriting import rewritten
from moviola_api.runs import details_of
from moviola_api.wishes import Priority, requested_recipe

Wish = VideoRetryRequested | VideoReprocessRequested


class ReprocessRequest(RequestBody):
    """``recipe`` as in ``POST /v1/videos``; what is left out is the video's."""

    recipe: dict[str, object] | str | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """``changed`` makes the video as it is to be, or raises ``Conflict``; ``asked`` is a digest of the request."""

    event: type[Wish]
    asked: str
    changed: Callable[[VideoWithRuns, RunId], Video]


async def retry_video(request: web.Request) -> web.Response:
    """202 with the video: what its last run has not done is done by a new one."""

    def changed(found: VideoWithRuns, run_id: RunId) -> Video:
        latest = _ended(found, "video.not_retryable")
        if latest.state is RunState.READY:
            raise Conflict("The last run is ready: there is nothing to retry.", code="video.not_retryable")
        return replace(found.video, wanted_run=run_id, retry_of=latest.id)

    asked = fingerprint(retry=video_id_of(request))
    found, _ = await _ask(request, _Asked(VideoRetryRequested, asked, changed))
    async with context_of(request).store.snapshot() as transaction:
        return json_response(document_of(request, await see(transaction, found)), status=ACCEPTED)


async def reprocess_video(request: web.Request) -> web.Response:
    """202 with the new run; the old one's files are served until it is ready."""
    body = await read_json(request, optional=True)
    priority = _checked(body).priority
    given = "recipe" in body
    recipe = requested_recipe(body.get("recipe"))
    await marks.check_marks(context_of(request).storage, tenant_of(request), recipe, part_sent=False)
    check_captions(recipe, {})

    def changed(found: VideoWithRuns, run_id: RunId) -> Video:
        _ended(found, "video.not_finished")
        video = replace(found.video, recipe=recipe) if given else found.video
        return replace(
            video, wanted_run=run_id, retry_of=None, priority=video.priority if priority is None else priority
        )

    asked = fingerprint(reprocess=video_id_of(request), body=body)
    found, run_id = await _ask(request, _Asked(VideoReprocessRequested, asked, changed))
    async with context_of(request).store.snapshot() as transaction:
        details = await details_of(transaction, found, run_id)
    response = json_response(details, status=ACCEPTED)
    response.headers["Location"] = f"/v1/videos/{details.video_id}/runs/{details.id}"
    return response


def _checked(body: Mapping[str, object]) -> ReprocessRequest:
    try:
        return ReprocessRequest.model_validate(body)
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error


def _ended(found: VideoWithRuns, code: str) -> Run:
    """The latest run, which has ended; ``Conflict`` where there is none, or another one is under way."""
    if found.video.state is not VideoState.UPLOADED:
        raise Conflict("The file has not arrived yet.", code="video.not_uploaded")
    if found.latest is None or awaits_run(found.video, found.latest):
        raise Conflict("A run of this video is about to begin; cancel it first, or wait.", code=code)
    if found.latest.state not in TERMINAL_RUN_STATES:
        message = f"The video's run is {found.latest.state.value}; cancel it first, or wait for its end."
        raise Conflict(message, code=code)
    return found.latest


async def _ask(request: web.Request, wish: _Asked) -> tuple[VideoWithRuns, RunId]:
    """The video afterwards, and the run that was asked for, by this request or an earlier one with the same key."""
    key, tenant = idempotency_key(request), tenant_of(request)
    async with under_way(context_of(request).cache, tenant, key):
        store = context_of(request).store
        return await rewritten(store, lambda transaction: _ask_once(request, transaction, wish, key))


async def _ask_once(
    request: web.Request, transaction: Transaction, wish: _Asked, key: str | None
) -> tuple[VideoWithRuns, RunId]:
    tenant, video_id, run_id, now = tenant_of(request), video_id_of(request), RunId(new_id()), utc_now()
    found = await find(transaction, tenant, video_id)
    if key is not None:
        keys = transaction.idempotency_keys
        holder = await keys.begin(tenant, key, fingerprint=wish.asked, video_id=video_id, run_id=run_id, now=now)
        if holder is not None:
            refuse_other(holder, wish.asked)
            return found, holder.run_id or run_id
        await keys.finish(tenant, key, fingerprint=wish.asked, status=ACCEPTED)
    # What was canceled before is not what is wanted now.
    video = replace(wish.changed(found, run_id), cancel_requested_at=None, updated_at=now)
    await transaction.videos.save(video)
    await transaction.outbox.add([post(wish.event(video_id=video.id, tenant=tenant, run_id=run_id))])
    return VideoWithRuns(video, found.latest, found.serving), run_id
