"""Captions that come along with a video: parts of its form, stored as WebVTT beside its original."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterator, Mapping

from moviola.captions import MAX_BYTES, as_vtt, read_captions
from moviola.errors import FieldError, InvalidInput, InvalidRecipe, TooLarge
from moviola.packaging import MOST_CAPTIONS, Captions
from moviola.recipe import Package, Recipe
from moviola_api.multipart import FormPart

PART = re.compile(r"captions[A-Za-z0-9_-]{0,40}")


def is_captions(name: str, taken: Mapping[str, object]) -> bool:
    """Whether a part of that name brings captions, beside those that came before."""
    return PART.fullmatch(name) is not None and name not in taken and len(taken) < MOST_CAPTIONS


async def captions_only(part: FormPart) -> AsyncIterator[bytes]:
    """The part's captions as WebVTT; ``InvalidInput`` with the line that can't be read, ``TooLarge``."""
    content = bytearray()
    async for chunk in part.chunks():
        content += chunk
        if len(content) > MAX_BYTES:
            raise TooLarge(f"Captions have at most {MAX_BYTES} bytes.", code="captions.too_large")
    cues = await asyncio.to_thread(read_captions, bytes(content), pointer=f"/{part.name}")
    yield as_vtt(cues).encode()


def check_captions(recipe: Recipe | None, sent: Mapping[str, object], *, kept: Collection[str] = ()) -> None:
    """``InvalidRecipe`` unless all captions that *recipe* names are *sent*; ``InvalidInput`` for one that is not used.

    *sent* are the parts of the same request, by their names; *kept* are ids of captions that the video has already.
    """
    named = dict(_named(recipe))
    missing = [pointer for pointer, one in named.items() if one.file not in sent and one.file not in kept]
    if missing:
        message = f'The recipe wants the part "{named[missing[0]].file}", which was not sent.'
        raise InvalidRecipe(message, [FieldError(pointer, message, "missing") for pointer in missing])
    for name in sent:
        if name not in {one.file for one in named.values()}:
            message = f'Captions were sent as "{name}", but the recipe\'s step package does not name them.'
            raise InvalidInput(message, [FieldError(f"/{name}", message, "unused")], code="captions.unused")


def with_captions(recipe: Recipe | None, ids: Mapping[str, str]) -> Recipe | None:
    """The recipe with each part's name replaced by the id under which it was stored."""
    if recipe is None or not ids:
        return recipe
    return recipe.model_copy(update={"steps": tuple(_stored(step, ids) for step in recipe.steps)})


def _stored(step: object, ids: Mapping[str, str]) -> object:
    if not isinstance(step, Package):
        return step
    captions = (one.model_copy(update={"file": ids.get(one.file, one.file)}) for one in step.captions)
    return step.model_copy(update={"captions": tuple(captions)})


def captions_in(recipe: Recipe | None) -> frozenset[str]:
    """What a recipe calls its captions: of a video's own recipe, the ids under which they are stored."""
    return frozenset(one.file for _, one in _named(recipe))


def _named(recipe: Recipe | None) -> Iterator[tuple[str, Captions]]:
    for index, step in enumerate(recipe.steps if recipe is not None else ()):
        if isinstance(step, Package):
            for number, one in enumerate(step.captions):
                yield f"/recipe/steps/{index}/captions/{number}/file", one
