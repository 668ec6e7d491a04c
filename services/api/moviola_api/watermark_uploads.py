"""``POST /v1/watermarks``: an image in a form, streamed to the storage and entered under its name."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

import structlog
from aiohttp import web
from pydantic import BaseModel, StringConstraints, ValidationError

from moviola import object_keys
from moviola.errors import FieldError, InvalidInput, MoviolaError, StoreUnavailable
from moviola.ports.object_storage import StoredObject
from moviola.ports.video_store import StoredWatermark
from moviola.recipe import field_errors
from moviola.video import Tenant, new_id, utc_now
from moviola_api import marks
from moviola_api.context import context_of, tenant_of
from moviola_api.intake import tame_filename
from moviola_api.multipart import FormPart, form_parts
from moviola_api.presentation import json_response
from moviola_api.problems import UnsupportedMediaType
from moviola_api.watermarks import WatermarkDocument

log = structlog.get_logger(__name__)

IMAGE, NAME = "image", "name"


class Named(BaseModel):
    """The form's text."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f]*$")
    ]


@dataclass(slots=True)
class _Received:
    name: str | None = None
    image: StoredObject | None = None
    filename: str = ""
    head: bytearray = field(default_factory=bytearray)


async def create_watermark(request: web.Request) -> web.Response:
    """201 with the watermark and its address; the form has an ``image`` and may have a ``name``."""
    if request.content_type != "multipart/form-data":
        raise UnsupportedMediaType('Send a form (multipart/form-data) with a part "image".')
    context, tenant, watermark_id = context_of(request), tenant_of(request), new_id()
    key = object_keys.watermark(tenant, watermark_id)
    try:
        watermark = await _receive(request, tenant, watermark_id)
        async with context.store.transaction() as transaction:
            await transaction.watermarks.add(watermark)
    except StoreUnavailable:
        # It may be in the database after all: better an image without a row than a row without its image.
        log.warning("watermark may be left without its row", key=key)
        raise
    except BaseException:
        await _discard(request, key)
        raise
    response = json_response(WatermarkDocument.of(watermark), status=201)
    response.headers["Location"] = f"/v1/watermarks/{watermark_id}"
    return response


async def _receive(request: web.Request, tenant: Tenant, watermark_id: str) -> StoredWatermark:
    received = _Received()
    async for part in form_parts(request):
        await _take(request, part, received, object_keys.watermark(tenant, watermark_id))
    image = received.image
    if image is None or image.sha256 is None:
        message = 'The form has no part named "image".'
        raise InvalidInput(message, [FieldError(f"/{IMAGE}", message, "missing")], code="watermark.no_image")
    stem = received.filename.rpartition(".")[0] or received.filename
    return StoredWatermark(
        id=watermark_id,
        tenant=tenant,
        name=_checked_name(stem if received.name is None else received.name),
        content_type=marks.kind_of(bytes(received.head)) or "",
        size=image.size,
        sha256=image.sha256,
        created_at=utc_now(),
    )


async def _take(request: web.Request, part: FormPart, received: _Received, key: str) -> None:
    match part.name:
        case name if name == IMAGE and received.image is None:
            received.filename = tame_filename(part.filename or "watermark")
            chunks = _beginning(marks.image_only(part.chunks(), part=IMAGE), received.head)
            received.image = await context_of(request).storage.put(key, chunks)
        case name if name == NAME and received.name is None:
            received.name = await part.text()
        case name:
            message = f"The form may not have a part named {name[:64]!r}, or not more than one."
            raise InvalidInput(message, [FieldError("/" + name[:64], message, "extra_forbidden")])


async def _beginning(chunks: AsyncIterable[bytes], head: bytearray) -> AsyncIterator[bytes]:
    """The same chunks; *head* gets the first bytes."""
    async for chunk in chunks:
        head += chunk[: max(0, marks.LONGEST_MAGIC - len(head))]
        yield chunk


def _checked_name(text: str) -> str:
    try:
        return Named(name=text).name
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error


async def _discard(request: web.Request, key: str) -> None:
    try:
        await context_of(request).storage.delete(key)
    except MoviolaError as error:
        log.warning("refused watermark could not be deleted", key=key, reason=str(error))
