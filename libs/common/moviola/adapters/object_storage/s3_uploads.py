"""Writing an object to S3: in one request while it is small, else in parts, a few at a time.

Parts grow, so that the 10,000 that S3 allows are enough for an object of any size it takes. Whatever ends an upload
before its time, its parts are taken back.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing

from moviola.adapters.object_storage.digests import RunningDigest
from moviola.adapters.object_storage.s3_client import Bucket, NoSuchUpload, uninterrupted
from moviola.adapters.object_storage.threads import Threads
from moviola.errors import StorageUnavailable
from moviola.ports.object_storage import StoredObject
from moviola.video import new_id

PART = 8 << 20
# A thousand parts of a size, then the double: 8 GiB in parts of 8 MiB, 8 TiB in 10,000 parts.
PARTS_OF_A_SIZE = 1000
_CLEANING_SECONDS = 10.0


def part_size(number: int) -> int:
    """The size in bytes of the part *number*, counted from 0."""
    return PART << (number // PARTS_OF_A_SIZE)


async def parts_of(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks joined and cut to parts; the last is shorter, and the only one, empty, where there is nothing."""
    pieces: list[memoryview] = []
    size = number = 0
    async for chunk in chunks:
        left = memoryview(chunk)
        while size + len(left) > (wanted := part_size(number)):
            yield b"".join((*pieces, left[: wanted - size]))
            left = left[wanted - size :]
            pieces, size, number = [], 0, number + 1
        pieces.append(left)
        size += len(left)
    yield b"".join(pieces)


class Upload:
    """One object on its way. ``moved`` is told of bytes that S3 has confirmed."""

    def __init__(
        self, bucket: Bucket, key: str, *, content_type: str, threads: Threads, moved: Callable[[int], None]
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._threads = threads
        self._moved = moved
        self._digest = RunningDigest()
        # Marks the object as made by this upload, should the answer to its completion be lost.
        self._mark = new_id()
        self._id: str | None = None
        self._may_be_visible = False

    async def store(self, chunks: AsyncIterable[bytes], *, in_flight: int) -> StoredObject:
        """Store what *chunks* yields, at most *in_flight* parts at once.

        Nothing is visible, and no part is left, if it raises or we are cancelled.
        """
        try:
            async with aclosing(parts_of(chunks)) as parts:
                first = await anext(parts)
                second = await anext(parts, None)
                if second is None:
                    etag = await self._at_once(first)
                else:
                    etag = await self._in_parts(_chained(first, second, parts), in_flight)
        except asyncio.CancelledError:
            await uninterrupted(self._take_back(), seconds=_CLEANING_SECONDS)
            raise
        except BaseException:
            await uninterrupted(self._abort(), seconds=_CLEANING_SECONDS)
            raise
        return StoredObject(self._key, self._digest.size, etag, self._digest.hex())

    async def _at_once(self, body: bytes) -> str:
        await self._count(body)
        self._may_be_visible = True
        putting = self._bucket.ask("put_object", Key=self._key, Body=body, ContentType=self._content_type)
        # To its end even if we are cancelled: only then is it known what has to be taken back.
        answer = await uninterrupted(putting)
        self._moved(len(body))
        return str(answer["ETag"]).strip('"')

    async def _in_parts(self, parts: AsyncIterator[bytes], in_flight: int) -> str:
        await uninterrupted(self._begin())
        etags = await self._send(parts, in_flight)
        self._may_be_visible = True
        await uninterrupted(self._complete(etags))
        self._id = None
        found = await self._bucket.ask("head_object", Key=self._key)
        if found["ContentLength"] != self._digest.size:
            raise StorageUnavailable(f"{self._digest.size} bytes were sent, and {found['ContentLength']} are stored.")
        return str(found["ETag"]).strip('"')

    async def _begin(self) -> None:
        answer = await self._bucket.ask(
            "create_multipart_upload",
            Key=self._key,
            ContentType=self._content_type,
            Metadata={"moviola-upload": self._mark},
        )
        self._id = answer["UploadId"]

    async def _send(self, parts: AsyncIterator[bytes], in_flight: int) -> list[str]:
        """The ETags of all parts, in order."""
        sent: list[asyncio.Task[str]] = []
        seats = asyncio.Semaphore(in_flight)
        try:
            async with asyncio.TaskGroup() as group:
                async for part in parts:
                    await self._count(part)
                    await seats.acquire()
                    sent.append(group.create_task(self._send_part(len(sent) + 1, part, seats)))
        except BaseExceptionGroup as failures:
            # One failure ends them all; it is the one to tell.
            raise failures.exceptions[0] from failures
        return [task.result() for task in sent]

    async def _send_part(self, number: int, part: bytes, seats: asyncio.Semaphore) -> str:
        try:
            answer = await self._bucket.ask(
                "upload_part", Key=self._key, UploadId=self._id, PartNumber=number, Body=part
            )
        finally:
            seats.release()
        self._moved(len(part))
        return str(answer["ETag"])

    async def _complete(self, etags: list[str]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
        try:
            await self._bucket.ask(
                "complete_multipart_upload", Key=self._key, UploadId=self._id, MultipartUpload={"Parts": parts}
            )
        except NoSuchUpload:
            # Perhaps it was completed, and the answer was lost on its way to us.
            found = await self._bucket.ask("head_object", Key=self._key)
            if found.get("Metadata", {}).get("moviola-upload") != self._mark:
                raise

    async def _count(self, part: bytes) -> None:
        await self._threads.run(self._digest.update, part)

    async def _abort(self) -> None:
        if self._id is not None:
            await self._bucket.abort(self._key, self._id)

    async def _take_back(self) -> None:
        await self._abort()
        if self._may_be_visible:
            await self._bucket.ask("delete_object", Key=self._key)


async def _chained(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for part in rest:
        yield part
