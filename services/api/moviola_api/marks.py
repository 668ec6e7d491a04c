"""Watermark images: the part of an upload that brings one, and the stored ones that a recipe names."""

from collections.abc import AsyncIterable, AsyncIterator
from uuid import UUID

from moviola import object_keys
from moviola.errors import FieldError, InvalidInput, InvalidRecipe, ObjectNotFound, TooLarge
from moviola.ports.object_storage import ObjectStorage, StoredObject
from moviola.ports.video_store import StoredWatermark, VideoStore
from moviola.recipe import Recipe, Watermark
from moviola.video import Tenant, utc_now

PART = "watermark"
MAX_BYTES = 10_000_000
LONGEST_MAGIC = 12
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


def wants_part(recipe: Recipe | None) -> list[str]:
    """Pointers to the steps whose image is the part of the same request."""
    return [f"/recipe/steps/{index}/image" for index, step in _images(recipe) if step.image == PART]


def with_mark(recipe: Recipe | None, mark_id: str) -> Recipe | None:
    """The recipe with the part's name replaced by the id under which it was stored."""
    if recipe is None:
        return None
    steps = tuple(
        step.model_copy(update={"image": mark_id}) if isinstance(step, Watermark) and step.image == PART else step
        for step in recipe.steps
    )
    return recipe.model_copy(update={"steps": steps})


async def check_marks(storage: ObjectStorage, tenant: Tenant, recipe: Recipe | None, *, part_sent: bool) -> None:
    """``InvalidRecipe`` unless every image that *recipe* names is there, and a part that was sent is used."""
    wanted = wants_part(recipe)
    if part_sent and not wanted:
        message = 'A watermark was sent, but no step of the recipe has "image": "watermark".'
        raise InvalidInput(message, [FieldError(f"/{PART}", message, "unused")], code="watermark.unused")
    if wanted and not part_sent:
        message = 'The recipe wants the part "watermark", which was not sent.'
        raise InvalidRecipe(message, [FieldError(pointer, message, "missing") for pointer in wanted])
    for index, step in _images(recipe):
        if step.image is not None and step.image != PART and not await _exists(storage, tenant, step.image):
            message = "There is no stored watermark with this id."
            raise InvalidRecipe(
                message, [FieldError(f"/recipe/steps/{index}/image", message, "unknown")], code="recipe.unknown_image"
            )


async def remember(store: VideoStore, tenant: Tenant, mark_id: str, stored: StoredObject) -> None:
    """Note which bytes the image has that came along with an upload: under another id they are the same image."""
    async with store.transaction() as transaction:
        await transaction.watermarks.add(
            StoredWatermark(
                id=mark_id,
                tenant=tenant,
                name="",
                content_type="application/octet-stream",
                size=stored.size,
                sha256=stored.sha256 or "",
                created_at=utc_now(),
                listed=False,
            )
        )


def _images(recipe: Recipe | None) -> list[tuple[int, Watermark]]:
    steps = recipe.steps if recipe is not None else ()
    return [(index, step) for index, step in enumerate(steps) if isinstance(step, Watermark) and step.image is not None]


async def _exists(storage: ObjectStorage, tenant: Tenant, mark_id: str) -> bool:
    try:
        await storage.stat(object_keys.watermark(tenant, str(UUID(mark_id))))
    except (ValueError, ObjectNotFound):
        return False
    return True


async def image_only(chunks: AsyncIterable[bytes], *, part: str = PART) -> AsyncIterator[bytes]:
    """The same bytes, as long as they begin like a PNG, JPEG or WebP and are at most 10 MB."""
    head, size, checked = b"", 0, False
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise TooLarge(f"A watermark has at most {MAX_BYTES} bytes.", code="watermark.too_large")
        if checked:
            yield chunk
            continue
        head += chunk
        if len(head) >= LONGEST_MAGIC:
            _refuse_other(head, part)
            checked = True
            yield head
    if not checked:
        _refuse_other(head, part)


def kind_of(head: bytes) -> str | None:
    """The content type of the image that begins with *head*; None for what is no PNG, JPEG or WebP."""
    if len(head) < LONGEST_MAGIC:
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def _refuse_other(head: bytes, part: str) -> None:
    if kind_of(head) is None:
        message = "The watermark is not a PNG, JPEG or WebP image."
        raise InvalidInput(message, [FieldError(f"/{part}", message, "not_image")], code="watermark.not_image")
