"""What every handler stands on, under one typed key of the application."""

from dataclasses import dataclass

from aiohttp import web

from moviola.ports.cache import Cache
from moviola.ports.message_bus import MessageBus
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import VideoStore
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT, Tenant
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


def tenant_of(request: web.Request) -> Tenant:
    """Whose request it is: everybody's the same, until there are keys."""
    return DEFAULT_TENANT
