"""Reading from S3: a stream of an object's bytes that goes on where it broke.

Every request but the first is pinned to the first one's ETag, so that bytes of two versions are never mixed.
"""

from collections.abc import AsyncIterator
from typing import Any

from botocore.exceptions import ClientError

from moviola.adapters.object_storage.s3_client import Bucket, translated
from moviola.errors import StorageUnavailable

CHUNK = 256 << 10
_BREAKS = 5


class Stream:
    """The bytes of an object from ``position`` on, before ``end`` (None: to its end)."""

    def __init__(self, bucket: Bucket, key: str, *, start: int, end: int | None, etag: str | None) -> None:
        self._bucket = bucket
        self._key = key
        self._position = start
        self._end = end
        self._etag = etag
        self._body: Any = None

    async def open(self) -> None:
        """Ask for the first bytes; ``ObjectNotFound`` and ``ObjectChanged`` come from here."""
        wanted: dict[str, Any] = {} if self._etag is None else {"IfMatch": f'"{self._etag}"'}
        if self._end is not None and self._end <= self._position:
            # HTTP can't ask for no byte; whether the object is there is asked all the same.
            await self._bucket.ask("head_object", Key=self._key, **wanted)
            return
        if self._position or self._end is not None:
            wanted["Range"] = f"bytes={self._position}-{'' if self._end is None else self._end - 1}"
        try:
            answer = await self._bucket.ask("get_object", Key=self._key, **wanted)
        except StorageUnavailable as error:
            if not _is_beyond_the_end(error):
                raise
            self._end = self._position
            return
        self._body = answer["Body"]
        self._etag = str(answer["ETag"]).strip('"')
        self._end = self._end_of(answer, ranged="Range" in wanted)

    def _end_of(self, answer: Any, *, ranged: bool) -> int:
        """Where the answer ends, in the object; it has to begin where we asked."""
        if ranged and not str(answer.get("ContentRange", "")).startswith(f"bytes {self._position}-"):
            self.close()
            raise StorageUnavailable("The object storage did not send the range that was asked for.")
        return self._position + int(answer["ContentLength"])

    async def chunks(self) -> AsyncIterator[bytes]:
        """After ``open``. A break is mended, unless several follow each other without a byte between them."""
        breaks = 0
        while self._end is None or self._position < self._end:
            try:
                chunk = await self._next()
            except StorageUnavailable:
                self.close()
                breaks += 1
                if breaks == _BREAKS:
                    raise
            else:
                breaks = 0
                self._position += len(chunk)
                yield chunk

    async def _next(self) -> bytes:
        if self._body is None:
            await self.open()
        with translated():
            chunk: bytes = await self._body.read(CHUNK)
        if not chunk:
            raise StorageUnavailable("The object storage ended its answer too early.")
        return chunk

    def close(self) -> None:
        """Drop what is under way; also safe when nothing is."""
        if self._body is not None:
            self._body.close()
            self._body = None


def _is_beyond_the_end(error: StorageUnavailable) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in ("InvalidRange", "416")
