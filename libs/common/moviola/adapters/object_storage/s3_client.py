"""Asking S3: one place for the client's settings, for trying again, and for what its errors mean.

boto tries nothing again by itself: the one layer that does is here, and it knows what is safe to repeat.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import aioboto3  # type: ignore[import-untyped]  # it comes without types
import aiohttp
import stamina
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from moviola.errors import NoSpace, ObjectChanged, ObjectNotFound, StorageUnavailable
from moviola.settings import S3Settings

if TYPE_CHECKING:  # the stubs are a development dependency
    from types_aiobotocore_s3 import S3Client

T = TypeVar("T")
TRIES = 7
_NOT_FOUND = {"NoSuchKey", "404"}
_CHANGED = {"PreconditionFailed", "412"}
_FULL = {"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "507"}


class NoSuchUpload(StorageUnavailable):
    """The multipart upload is not there (any more): it was completed or aborted."""


@contextmanager
def translated() -> Iterator[None]:
    """Errors that come from S3 inside this context are raised as the port promises them."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error) from error
    except (BotoCoreError, HTTPClientError, aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise StorageUnavailable(f"The object storage can't be reached: {reason}") from error


def _meaning(error: ClientError) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _NOT_FOUND:
        return ObjectNotFound("There is no object at that key.")
    if code in _CHANGED:
        return ObjectChanged("The object is not the one that was asked for.")
    if code in _FULL:
        return NoSpace("The object storage is full.")
    if code == "NoSuchUpload":
        return NoSuchUpload("The multipart upload is not there any more.")
    return StorageUnavailable(f"The object storage answered with an error: {error}")


class Bucket:
    """One bucket. ``client`` is boto's; ``ask`` calls one of its operations on the bucket."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self.client = client
        self.name = name

    async def ask(self, operation: str, **parameters: Any) -> Any:
        """The answer; asked again, a few times and ever later, while the storage does not answer as it should."""
        async for attempt in stamina.retry_context(
            on=_passes, attempts=TRIES, timeout=None, wait_initial=0.1, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                return await self.ask_once(operation, **parameters)
        raise AssertionError("stamina returns or raises")

    async def abort(self, key: str, upload_id: str) -> None:
        """Take back an unfinished upload and its parts; one that is gone is not an error."""
        with suppress(NoSuchUpload):
            await self.ask("abort_multipart_upload", Key=key, UploadId=upload_id)

    async def ask_once(self, operation: str, **parameters: Any) -> Any:
        with translated():
            call: Callable[..., Awaitable[Any]] = getattr(self.client, operation)
            return await call(Bucket=self.name, **parameters)


def _passes(error: Exception) -> bool:
    """Whether trying again may help: a refusal stays one, and an upload that is gone does not come back."""
    if not isinstance(error, StorageUnavailable) or isinstance(error, NoSuchUpload):
        return False
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return True
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    code = cause.response.get("Error", {}).get("Code", "")
    return status >= 500 or status in (408, 429) or code in ("RequestTimeout", "SlowDown", "Throttling")


@asynccontextmanager
async def open_bucket(settings: S3Settings, name: str) -> AsyncIterator[Bucket]:
    """Nothing is connected yet."""
    config = AioConfig(
        # boto still presigns with version 2 in us-east-1 unless told.
        signature_version="s3v4",
        # Signing the payload too has the server check it, over TLS as well, whatever it knows of newer checksums.
        s3={"addressing_style": "path" if settings.force_path_style else "auto", "payload_signing_enabled": True},
        request_checksum_calculation=settings.checksums,
        response_checksum_validation=settings.checksums,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=64,
    )
    session = aioboto3.Session(
        aws_access_key_id=settings.access_key_id and settings.access_key_id.get_secret_value(),
        aws_secret_access_key=settings.secret_access_key and settings.secret_access_key.get_secret_value(),
        region_name=settings.region,
    )
    async with session.client("s3", endpoint_url=settings.endpoint, config=config) as client:
        yield Bucket(client, name)


async def uninterrupted(call: Awaitable[T], *, seconds: float | None = None) -> T:
    """Await *call* to its end, for at most *seconds*, even if the caller is cancelled meanwhile; then it is."""
    task = asyncio.ensure_future(call)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=seconds)
        if task.done() and not task.cancelled():
            task.exception()  # seen: the cancellation is what the caller hears of
        raise
    finally:
        task.cancel()
