"""Objects in a bucket of S3, or of anything that speaks its language.

It creates objects under their keys, unfinished multipart uploads while one is written, and for a moment
``checks/{id}`` when it is asked whether it can write. It promises the port's words on top of what S3 promises: an
upload that fails or is cancelled leaves nothing, a transfer that breaks is resumed on the same version, sizes are
compared at the end. It needs ``GetObject``, ``PutObject``, ``DeleteObject`` and ``AbortMultipartUpload`` on the
objects, ``ListBucket`` and ``ListBucketMultipartUploads`` on the bucket. ETags are S3's own.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from moviola.adapters.object_storage.keys import components, components_of_existing
from moviola.adapters.object_storage.s3_client import Bucket, open_bucket
from moviola.adapters.object_storage.s3_downloads import Download
from moviola.adapters.object_storage.s3_streams import Stream
from moviola.adapters.object_storage.s3_uploads import PART, Upload
from moviola.adapters.object_storage.threads import OpenFile, Threads
from moviola.errors import MoviolaError, ObjectChanged, StorageUnavailable
from moviola.ports.object_storage import ObjectStorage, Progress, StoredObject
from moviola.settings import S3Settings
from moviola.video import new_id

# Of 8 MiB each: the first bounds the memory of an API that receives, the second the time of a worker that sends.
_PARTS_OF_A_STREAM = 2
_PARTS_OF_A_FILE = 4
_DELETED_AT_ONCE = 1000


class S3ObjectStorage:
    def __init__(self, bucket: Bucket, threads: Threads) -> None:
        self._bucket = bucket
        self._threads = threads

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        upload = self._upload(key, content_type, None)
        return await upload.store(chunks, in_flight=_PARTS_OF_A_STREAM)

    async def upload(
        self, path: Path, key: str, *, content_type: str = "application/octet-stream", progress: Progress | None = None
    ) -> StoredObject:
        upload = self._upload(key, content_type, progress)
        return await upload.store(_chunks_of(path, self._threads), in_flight=_PARTS_OF_A_FILE)

    def _upload(self, key: str, content_type: str, progress: Progress | None) -> Upload:
        components(key)
        return Upload(
            self._bucket, key, content_type=content_type, threads=self._threads, moved=progress or _told_nobody
        )

    async def download(
        self, key: str, path: Path, *, etag: str | None = None, progress: Progress | None = None
    ) -> StoredObject:
        wanted = await self._head(key, etag)
        download = Download(self._bucket, wanted, self._threads, progress or _told_nobody)
        try:
            return await download.fetch(path)
        except ObjectChanged as error:
            if etag is not None:
                raise
            raise StorageUnavailable("The object was replaced while it was fetched.") from error

    @asynccontextmanager
    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"not a range: {start} to {end}")
        components_of_existing(key)
        stream = Stream(self._bucket, key, start=start, end=end, etag=etag)
        try:
            await stream.open()
            yield stream.chunks()
        finally:
            stream.close()

    async def stat(self, key: str) -> StoredObject:
        return await self._head(key, None)

    async def _head(self, key: str, etag: str | None) -> StoredObject:
        components_of_existing(key)
        pinned = {} if etag is None else {"IfMatch": f'"{etag}"'}
        found = await self._bucket.ask("head_object", Key=key, **pinned)
        return StoredObject(key, found["ContentLength"], found["ETag"].strip('"'))

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        async for page in self._pages("list_objects_v2", {"ContinuationToken": "NextContinuationToken"}, prefix):
            for found in page.get("Contents", ()):
                yield StoredObject(found["Key"], found["Size"], found["ETag"].strip('"'))

    async def delete(self, prefix: str) -> int:
        deleted = 0
        async for page in self._pages("list_objects_v2", {"ContinuationToken": "NextContinuationToken"}, prefix):
            deleted += await self._delete([found["Key"] for found in page.get("Contents", ())])
        markers = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        async for page in self._pages("list_multipart_uploads", markers, prefix):
            for unfinished in page.get("Uploads", ()):
                await self._bucket.abort(unfinished["Key"], unfinished["UploadId"])
        return deleted

    async def _delete(self, keys: Sequence[str]) -> int:
        if keys:
            listed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            answer = await self._bucket.ask("delete_objects", Delete=listed)
            if errors := answer.get("Errors"):
                first = errors[0]
                raise StorageUnavailable(f"{len(errors)} objects were not deleted: {first.get('Message') or first}")
        return len(keys)

    async def _pages(self, operation: str, markers: dict[str, str], prefix: str) -> AsyncIterator[Any]:
        """All answers to a listing; *markers* name what to ask the next with, and where the last answer has it."""
        position: dict[str, Any] = {}
        while True:
            page = await self._bucket.ask(operation, Prefix=prefix, **position)
            yield page
            if not page.get("IsTruncated"):
                return
            position = {ours: page[theirs] for ours, theirs in markers.items() if theirs in page}

    async def check(self) -> None:
        key = f"checks/{new_id()}"
        try:
            await self._bucket.ask_once("put_object", Key=key, Body=b"written")
            answer = await self._bucket.ask_once("get_object", Key=key)
            answer["Body"].close()
            await self._bucket.ask_once("delete_object", Key=key)
        except StorageUnavailable:
            raise
        except MoviolaError as error:
            raise StorageUnavailable(f"The bucket {self._bucket.name} can't be written and read: {error}") from error


async def _chunks_of(path: Path, threads: Threads) -> AsyncIterator[bytes]:
    file = OpenFile()
    position = 0
    try:
        await threads.run(file.open, lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        while chunk := await threads.run(os.pread, file.descriptor, PART, position):
            position += len(chunk)
            yield chunk
    finally:
        file.close()


def _told_nobody(moved: int) -> None:
    """The progress of somebody who did not ask for it."""


@asynccontextmanager
async def open_s3(settings: S3Settings, bucket: str) -> AsyncIterator[ObjectStorage]:
    """The objects of *bucket*, which has to be there; nothing is asked of it before it is used."""
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="objects") as executor:
        async with open_bucket(settings, bucket) as opened:
            yield S3ObjectStorage(opened, Threads(executor))
