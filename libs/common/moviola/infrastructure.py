"""From URLs to adapters: the one place that knows them all."""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from moviola.errors import MoviolaError
from moviola.ports.cache import Cache
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import VideoStore
from moviola.settings import Settings, scheme

Part = Literal["bus", "store", "storage", "cache"]
T = TypeVar("T")
ALL_PARTS: tuple[Part, ...] = ("bus", "store", "storage", "cache")


class NotOpened(MoviolaError):
    """A part that was not asked for when the infrastructure was opened."""


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """The ports that a service asked for; the others raise ``NotOpened``."""

    opened_bus: MessageBus | None = None
    opened_store: VideoStore | None = None
    opened_storage: ObjectStorage | None = None
    opened_cache: Cache | None = None

    @property
    def bus(self) -> MessageBus:
        return _opened(self.opened_bus, "bus")

    @property
    def store(self) -> VideoStore:
        return _opened(self.opened_store, "store")

    @property
    def storage(self) -> ObjectStorage:
        return _opened(self.opened_storage, "storage")

    @property
    def cache(self) -> Cache:
        return _opened(self.opened_cache, "cache")


def _opened(part: T | None, name: str) -> T:
    if part is None:
        raise NotOpened(f"This service did not open the {name}.")
    return part


@asynccontextmanager
async def open_infrastructure(
    settings: Settings, *, parts: Collection[Part] = ALL_PARTS
) -> AsyncIterator[Infrastructure]:
    """Open the *parts* that *settings* name and close them on leaving; ``ValueError`` for a scheme we don't know.

    Parts come up when they are first needed: opening does not fail because a server is still starting, except for the
    database, whose schema is not touched here either (see ``VideoStore.migrate``).
    """
    async with AsyncExitStack() as stack:
        yield Infrastructure(
            opened_bus=await stack.enter_async_context(_open_bus(settings)) if "bus" in parts else None,
            opened_store=await stack.enter_async_context(_open_store(settings)) if "store" in parts else None,
            opened_storage=await stack.enter_async_context(_open_storage(settings)) if "storage" in parts else None,
            opened_cache=await stack.enter_async_context(_open_cache(settings)) if "cache" in parts else None,
        )


# Each adapter is imported when its scheme is asked for, so that a service loads only the drivers that it uses.


def _open_bus(settings: Settings) -> AbstractAsyncContextManager[MessageBus]:
    match scheme(settings.bus_url):
        case "memory":
            from moviola.adapters.message_bus.in_process import open_in_process

            return open_in_process()
        case "amqp" | "amqps":
            from moviola.adapters.message_bus.rabbitmq import open_rabbitmq

            return open_rabbitmq(settings.bus_url.get_secret_value())
        case other:
            raise ValueError(f"MOVIOLA_BUS_URL: there is no message bus for {other!r}; use memory: or amqp://")


def _open_store(settings: Settings) -> AbstractAsyncContextManager[VideoStore]:
    from moviola.adapters.video_store.store import open_video_store

    match scheme(settings.database_url):
        case "sqlite":
            return open_video_store(f"sqlite+aiosqlite:///{settings.database_path()}")
        case "postgresql" | "postgres":
            rest = settings.database_url.get_secret_value().partition("://")[2]
            return open_video_store(f"postgresql+asyncpg://{rest}")
        case other:
            raise ValueError(f"MOVIOLA_DATABASE_URL: there is no database for {other!r}; use sqlite: or postgresql://")


def _open_storage(settings: Settings) -> AbstractAsyncContextManager[ObjectStorage]:
    match scheme(settings.storage_url):
        case "file":
            from moviola.adapters.object_storage.local_files import open_local_files

            return open_local_files(settings.objects_path())
        case "s3":
            from moviola.adapters.object_storage.s3 import open_s3

            bucket = settings.storage_url.get_secret_value().partition(":")[2].strip("/") or settings.s3.bucket
            return open_s3(settings.s3, bucket)
        case other:
            raise ValueError(f"MOVIOLA_STORAGE_URL: there is no object storage for {other!r}; use file: or s3:")


def _open_cache(settings: Settings) -> AbstractAsyncContextManager[Cache]:
    match scheme(settings.cache_url):
        case "memory":
            from moviola.adapters.cache.in_process import open_in_process

            return open_in_process()
        case "redis" | "rediss":
            from moviola.adapters.cache.redis import open_redis

            return open_redis(settings.cache_url.get_secret_value())
        case other:
            raise ValueError(f"MOVIOLA_CACHE_URL: there is no cache for {other!r}; use memory: or redis://")
