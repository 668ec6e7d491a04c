"""A multipart form read part by part, never held: aiohttp's reader with its errors translated at this edge."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from moviola.errors import FieldError, InvalidInput, TooLarge
from moviola_api.connection import ClientGone
from moviola_api.problems import Malformed

CHUNK = 256 * 1024
MAX_PARTS = 200
MAX_TEXT = 256 * 1024
# RFC 9110, section 5.6.4
_QUOTED = re.compile(r';\s*(name|filename)="((?:[^"\\]|\\.)*)"')

# aiohttp's reader complains of broken forms by assertion as well.
_BROKEN = (ValueError, RuntimeError, AssertionError, LookupError, HttpProcessingError)


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part, to be read before the next one is asked for; ``filename`` is what the client says."""

    name: str
    filename: str | None
    reader: BodyPartReader

    async def chunks(self) -> AsyncIterator[bytes]:
        """The content as it comes; ``ClientGone``, or ``Malformed`` where the form is cut off."""
        while chunk := await self._chunk():
            yield chunk

    async def _chunk(self) -> bytes:
        try:
            return await self.reader.read_chunk(CHUNK)
        except ConnectionError as error:
            raise ClientGone("The client left in the middle of a part.") from error
        except _BROKEN as error:
            raise _malformed(error) from error

    async def text(self) -> str:
        """The content as text, at most 256 KiB of it."""
        content = bytearray()
        async for chunk in self.chunks():
            content += chunk
            if len(content) > MAX_TEXT:
                message = f"The field {self.name!r} is longer than {MAX_TEXT} bytes."
                raise TooLarge(message, code="request.too_large")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            message = f"The field {self.name!r} is not valid UTF-8."
            raise InvalidInput(message, [FieldError(f"/{self.name}", message, "utf8")]) from error


async def form_parts(request: web.Request) -> AsyncIterator[FormPart]:
    """The parts in the order in which they come; all of the form was well-formed when it ends."""
    try:
        reader = MultipartReader(request.headers, request.content)
    except _BROKEN as error:
        raise _malformed(error) from error
    for _ in range(MAX_PARTS):
        part = await _next(reader)
        if part is None:
            return
        yield part
    raise TooLarge(f"A form has at most {MAX_PARTS} parts.", code="request.too_large")


async def _next(reader: MultipartReader) -> FormPart | None:
    try:
        part = await reader.next()
        if part is None:
            return None
        if not isinstance(part, BodyPartReader):
            raise Malformed("A part of the form is a form itself.", code="multipart.malformed")
        name, filename = part.name, part.filename
        if name is None:
            # aiohttp's reader gives up on a file name with several semicolons.
            said = dict(_QUOTED.findall(part.headers.get("Content-Disposition", "")))
            name, filename = said.get("name"), said.get("filename")
    except ConnectionError as error:
        raise ClientGone("The client left between two parts.") from error
    except _BROKEN as error:
        raise _malformed(error) from error
    if not name:
        raise Malformed("A part of the form has no name.", code="multipart.malformed")
    return FormPart(name, filename, part)


def _malformed(error: Exception) -> Malformed:
    return Malformed("The multipart form is malformed or was cut off.", code="multipart.malformed")
