"""``POST /v1/videos``: a file in a form, streamed to the storage, or an object that lies there already."""

from aiohttp import web
from pydantic import Field, ValidationError

from moviola.captions import MAX_BYTES
from moviola.errors import FieldError, InvalidInput, TooLarge
from moviola.packaging import MOST_CAPTIONS
from moviola.ports.video_store import Answer
from moviola.recipe import field_errors
from moviola.telemetry import about
from moviola.video import Video, VideoId, new_id
from moviola_api import intake, marks
from moviola_api.arrival import Arrival, Form, digest_only
from moviola_api.bodies import RequestBody, read_json
from moviola_api.caption_parts import check_captions, with_captions
from moviola_api.context import caller_of, context_of, tenant_of
from moviola_api.idempotency import fingerprint, holder_of, idempotency_key, refuse_other, under_way
from moviola_api.incoming import incoming_object
from moviola_api.lookup import find, see
from moviola_api.presentation import document_of
from moviola_api.problems import UnsupportedMediaType
from moviola_api.wishes import wishes_from_form, wishes_from_json


class ObjectRequest(RequestBody):
    """An object below ``incoming/{tenant}/``; ``etag`` pins it, with or without quotes."""

    key: str = Field(min_length=1, max_length=1024)
    etag: str | None = Field(default=None, min_length=1, max_length=200)


async def create_video(request: web.Request) -> web.Response:
    """202 with the video and its address."""
    outcome = "refused"
    try:
        response = await _create(request)
        outcome = "accepted"
    finally:
        context_of(request).metrics.uploads.labels("http", outcome).inc()
    return response


async def _create(request: web.Request) -> web.Response:
    match request.content_type:
        case "multipart/form-data":
            return await _from_form(request)
        case "application/json":
            return await _from_object(request)
        case _:
            raise UnsupportedMediaType("Send a form (multipart/form-data) with a file, or JSON that names an object.")


async def _from_form(request: web.Request) -> web.Response:
    context, tenant, key = context_of(request), tenant_of(request), idempotency_key(request)
    _refuse_length(request, context.settings.max_upload_bytes)
    video_id = VideoId(new_id())
    async with under_way(context.cache, tenant, key):
        holder = await holder_of(context.store, tenant, key, video_id) if key is not None else None
        arrival = Arrival(context.storage, tenant, video_id, max_bytes=context.settings.max_upload_bytes)
        if holder is not None:
            form = await arrival.receive(request, digest_only)
            return await _answer(request, refuse_other(holder, _fingerprint(form)))
        with about(video_id):
            return await _store(request, arrival, key)


async def _store(request: web.Request, arrival: Arrival, key: str | None) -> web.Response:
    context = context_of(request)
    async with arrival.kept_if_entered() as kept:
        form = await arrival.receive(request, context.storage.put)
        context.metrics.received.inc(form.file.size)
        wishes = wishes_from_form(form.fields)
        await marks.check_marks(context.storage, arrival.tenant, wishes.recipe, part_sent=form.mark is not None)
        check_captions(wishes.recipe, form.captions)
        recipe = with_captions(marks.with_mark(wishes.recipe, arrival.mark_id), arrival.captions_ids)
        video = intake.new_video(
            arrival.video_id,
            arrival.tenant,
            filename=form.filename,
            stored=form.file,
            wishes=wishes.with_recipe(recipe),
            key_id=caller_of(request).key_id,
        )
        once = intake.Once(key, _fingerprint(form)) if key is not None else None
        if form.mark is not None:
            await marks.remember(context.store, arrival.tenant, arrival.mark_id, form.mark)
        holder = await intake.enter(context.store, video, once)
        kept.set(holder is None)
    return await _entered(request, video, once, holder)


def _fingerprint(form: Form) -> str:
    return fingerprint(
        fields=wishes_from_form(form.fields).model_dump_json(),
        filename=form.filename,
        file=form.file.sha256,
        mark=form.mark.sha256 if form.mark is not None else None,
        **{name: stored.sha256 for name, stored in form.captions.items()},
    )


async def _from_object(request: web.Request) -> web.Response:
    context, tenant, key = context_of(request), tenant_of(request), idempotency_key(request)
    fields = dict(await read_json(request))
    if "source_url" in fields:
        message = "Fetching from an address is not supported by this version; upload the file."
        raise InvalidInput(message, [FieldError("/source_url", message, "unsupported")], code="source_url.unsupported")
    wanted = _object_request(fields.pop("object", None))
    wishes = wishes_from_json(fields)
    async with under_way(context.cache, tenant, key):
        stored = await incoming_object(
            context.storage, tenant, wanted.key, etag=wanted.etag, max_bytes=context.settings.max_upload_bytes
        )
        await marks.check_marks(context.storage, tenant, wishes.recipe, part_sent=False)
        check_captions(wishes.recipe, {})
        filename = wanted.key.rpartition("/")[2]
        video = intake.new_video(
            VideoId(new_id()),
            tenant,
            filename=filename,
            stored=stored,
            wishes=wishes,
            key_id=caller_of(request).key_id,
        )
        asked = fingerprint(fields=wishes.model_dump_json(), object=wanted.model_dump())
        once = intake.Once(key, asked) if key is not None else None
        return await _entered(request, video, once, await intake.enter(context.store, video, once))


def _object_request(value: object) -> ObjectRequest:
    try:
        return ObjectRequest.model_validate(value)
    except ValidationError as error:
        errors = [FieldError(f"/object{one.pointer}", one.message, one.code) for one in field_errors(error)]
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error


async def _entered(request: web.Request, video: Video, once: intake.Once | None, holder: Answer | None) -> web.Response:
    video_id = refuse_other(holder, once.fingerprint) if holder is not None and once is not None else video.id
    return await _answer(request, video_id)


async def _answer(request: web.Request, video_id: VideoId) -> web.Response:
    context = context_of(request)
    async with context.store.snapshot() as transaction:
        sight = await see(transaction, await find(transaction, tenant_of(request), video_id))
    return web.Response(
        text=document_of(request, sight).model_dump_json(),
        status=intake.ACCEPTED,
        content_type="application/json",
        headers={"Location": f"/v1/videos/{video_id}"},
    )


def _refuse_length(request: web.Request, max_bytes: int) -> None:
    # The form around the file is small; what the file really has is counted while it comes.
    room = max_bytes + marks.MAX_BYTES + MOST_CAPTIONS * MAX_BYTES + 1024 * 1024
    if request.content_length is not None and request.content_length > room:
        raise TooLarge(f"A file has at most {max_bytes} bytes.")
