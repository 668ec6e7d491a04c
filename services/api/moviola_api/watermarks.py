"""Stored watermarks as a resource: images under a name, which recipes call by their id.

The image is the object that a recipe's id leads to; the row gives it a name. An image that came along with one video
has none, and is not shown here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moviola import object_keys
from moviola.errors import Conflict, InvalidInput, NotFound
from moviola.ports.video_store import StoredWatermark
from moviola.recipe import field_errors
from moviola.video import Tenant
from moviola_api import marks
from moviola_api.conditions import Validators
from moviola_api.context import context_of, tenant_of
from moviola_api.cursors import cursor_after, read_cursor
from moviola_api.delivery import Playable, send
from moviola_api.documents import Document
from moviola_api.intake import tame_filename
from moviola_api.presentation import json_response

# The image behind an id never changes.
FOR_EVER = "private, max-age=31536000, immutable"


class WatermarkDocument(Document):
    """``id`` is what a recipe's ``image`` says; ``url`` leads to the image itself."""

    id: str
    name: str
    content_type: str
    size: int
    sha256: str
    url: str
    created_at: datetime

    @classmethod
    def of(cls, watermark: StoredWatermark) -> Self:
        known = {name: getattr(watermark, name) for name in cls.model_fields if name != "url"}
        return cls(url=f"/v1/watermarks/{watermark.id}/image", **known)


class WatermarkList(Document):
    data: tuple[WatermarkDocument, ...]
    next_cursor: str | None


class ListQuery(BaseModel):
    """What ``GET /v1/watermarks`` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200)


@dataclass(frozen=True, slots=True)
class WatermarksOf:
    """The question that a list's cursor belongs to."""

    tenant: Tenant


async def list_watermarks(request: web.Request) -> web.Response:
    """The newest first."""
    try:
        query = ListQuery.model_validate(dict(request.query))
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error
    wanted = WatermarksOf(tenant_of(request))
    before = read_cursor(query.cursor, wanted) if query.cursor is not None else None
    async with context_of(request).store.snapshot() as transaction:
        found = await transaction.watermarks.page(wanted.tenant, limit=query.limit + 1, before=before)
    shown = found[: query.limit]
    more = len(found) > query.limit
    return json_response(
        WatermarkList(
            data=tuple(WatermarkDocument.of(one) for one in shown),
            next_cursor=cursor_after(shown[-1].id, wanted) if more else None,
        )
    )


async def show_watermark(request: web.Request) -> web.Response:
    return json_response(WatermarkDocument.of(await _find(request)))


async def send_image(request: web.Request) -> web.StreamResponse:
    """``…/image``: the image as it was uploaded."""
    watermark = await _find(request)
    suffix = marks.SUFFIXES[watermark.content_type]
    return await send(
        request,
        Playable(
            key=object_keys.watermark(watermark.tenant, watermark.id),
            size=watermark.size,
            validators=Validators(watermark.sha256, watermark.created_at),
            content_type=watermark.content_type,
            filename=tame_filename(f"{watermark.name}{suffix}"),
            cache_control=FOR_EVER,
        ),
    )


async def delete_watermark(request: web.Request) -> web.Response:
    """204; ``Conflict`` while something that is under way needs it. What was made with it stays as it is."""
    watermark = await _find(request)
    context = context_of(request)
    async with context.store.snapshot() as transaction:
        awaited = await transaction.watermarks.is_awaited(watermark.tenant, watermark.id)
    if awaited:
        message = "A video that is being processed needs this watermark; delete it when that has ended."
        raise Conflict(message, code="watermark.in_use")
    # The object first: if only that succeeds, the row is still there for the deletion to be asked for again.
    await context.storage.delete(object_keys.watermark(watermark.tenant, watermark.id))
    async with context.store.transaction() as transaction:
        await transaction.watermarks.remove(watermark.tenant, watermark.id)
    return web.Response(status=204)


async def _find(request: web.Request) -> StoredWatermark:
    found = None
    try:
        watermark_id = str(UUID(request.match_info["watermark_id"]))
    except ValueError:
        pass
    else:
        async with context_of(request).store.snapshot() as transaction:
            found = await transaction.watermarks.get(tenant_of(request), watermark_id)
    if found is None or not found.listed:
        raise NotFound("There is no such watermark.", code="watermark.not_found")
    return found
