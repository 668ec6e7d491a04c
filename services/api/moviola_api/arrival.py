"""One upload on its way in: what came so far, and the promise that nothing of it stays unless a video was entered."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from moviola import object_keys
from moviola.errors import FieldError, InvalidInput, MoviolaError, TooLarge
from moviola.ports.object_storage import ObjectStorage, StoredObject
from moviola.video import Tenant, VideoId, new_id
from moviola_api import marks
from moviola_api.caption_parts import captions_only, is_captions
from moviola_api.intake import CommitUnknown
from moviola_api.multipart import FormPart, form_parts

log = structlog.get_logger(__name__)

Put = Callable[[str, AsyncIterable[bytes]], Awaitable[StoredObject]]
FIELDS = ("recipe", "title", "tags", "metadata", "priority")


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was read to its end; ``fields`` has every text field's values in their order.

    ``captions`` are the parts that brought some, by their name.
    """

    fields: dict[str, list[str]]
    file: StoredObject
    filename: str
    mark: StoredObject | None
    captions: dict[str, StoredObject]


@dataclass(slots=True)
class Kept:
    """Whether the objects have an owner now."""

    entered: bool = False

    def set(self, entered: bool) -> None:
        self.entered = entered


@dataclass(slots=True)
class _Received:
    fields: dict[str, list[str]] = field(default_factory=dict)
    file: StoredObject | None = None
    filename: str = ""
    mark: StoredObject | None = None
    captions: dict[str, StoredObject] = field(default_factory=dict)


class Arrival:
    """The upload that would become the video *video_id*, of at most *max_bytes*."""

    def __init__(self, storage: ObjectStorage, tenant: Tenant, video_id: VideoId, *, max_bytes: int) -> None:
        self._storage = storage
        self._max_bytes = max_bytes
        self.tenant = tenant
        self.video_id = video_id
        self.mark_id = new_id()
        self.captions_ids: dict[str, str] = {}

    async def receive(self, request: web.Request, put: Put) -> Form:
        """Read the form, handing files to *put* as they come; the parts may come in any order."""
        received = _Received()
        async for part in form_parts(request):
            await self._take(part, received, put)
        if received.file is None:
            message = 'The form has no part named "file".'
            raise InvalidInput(message, [FieldError("/file", message, "missing")], code="upload.no_file")
        return Form(received.fields, received.file, received.filename, received.mark, received.captions)

    async def _take(self, part: FormPart, received: _Received, put: Put) -> None:
        match part.name:
            case "file" if received.file is None:
                received.filename = part.filename or ""
                key = object_keys.original(self.tenant, self.video_id)
                received.file = await put(key, _not_empty(self._limited(part.chunks())))
            case marks.PART if received.mark is None:
                key = object_keys.watermark(self.tenant, self.mark_id)
                received.mark = await put(key, marks.image_only(part.chunks()))
            case name if is_captions(name, received.captions):
                self.captions_ids[name] = new_id()
                key = object_keys.captions(self.tenant, self.video_id, self.captions_ids[name])
                received.captions[name] = await put(key, captions_only(part))
            case name if name in FIELDS:
                received.fields.setdefault(name, []).append(await part.text())
            case name:
                message = f"The form may not have a part named {name[:64]!r}, or not more than one."
                raise InvalidInput(message, [FieldError("/" + name[:64], message, "extra_forbidden")])

    async def _limited(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise TooLarge(f"A file has at most {self._max_bytes} bytes.")
            yield chunk

    @asynccontextmanager
    async def kept_if_entered(self) -> AsyncIterator[Kept]:
        """Delete what was stored unless ``set(True)`` was called, or whether a video was entered is not known."""
        kept = Kept()
        known = True
        try:
            yield kept
        except CommitUnknown:
            # Better an object without a video than a video without its object.
            known = False
            raise
        finally:
            if known and not kept.entered:
                await self._discard()

    async def _discard(self) -> None:
        for prefix in (
            object_keys.originals(self.tenant, self.video_id),
            object_keys.watermark(self.tenant, self.mark_id),
        ):
            try:
                await self._storage.delete(prefix)
            except MoviolaError as error:
                log.warning("refused upload could not be deleted", prefix=prefix, reason=str(error))


async def _not_empty(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    empty = True
    async for chunk in chunks:
        empty = False
        yield chunk
    if empty:
        raise InvalidInput(
            "The file is empty.", [FieldError("/file", "The file is empty.", "empty")], code="upload.empty"
        )


async def digest_only(key: str, chunks: AsyncIterable[bytes]) -> StoredObject:
    """What storing *chunks* would have answered, without storing them."""
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return StoredObject(key, size, digest.hexdigest(), digest.hexdigest())
