"""What every handler stands on, under one typed key of the application."""

from dataclasses import dataclass

from aiohttp import web

from moviola.api_keys import ADMIN, ApiKey
from moviola.ports.cache import Cache
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import VideoStore
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT, KeyId, Tenant
from moviola_api.feed import Feed
from moviola_api.metrics import Metrics
from moviola_api.progress import LiveProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The ports, the settings, and what this replica alone knows: the live feed, progress and its counters."""

    store: VideoStore
    bus: MessageBus
    storage: ObjectStorage
    cache: Cache
    settings: Settings
    feed: Feed
    progress: LiveProgress
    metrics: Metrics


CONTEXT = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    return request.app[CONTEXT]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the holder of ``key``; without one, somebody on this machine or in a network that is trusted."""

    tenant: Tenant = DEFAULT_TENANT
    key: ApiKey | None = None

    @property
    def key_id(self) -> KeyId | None:
        return self.key.id if self.key is not None else None

    @property
    def is_admin(self) -> bool:
        return self.key is not None and ADMIN in self.key.scopes


CALLER = web.RequestKey("caller", Caller)


def caller_of(request: web.Request) -> Caller:
    return request[CALLER]


def tenant_of(request: web.Request) -> Tenant:
    """Whose request it is, and whose things it can see."""
    return caller_of(request).tenant
