"""``GET /v1/events``: the states and the progress of all of a tenant's videos as server-sent events, without an end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web

from moviola.errors import NotFound
from moviola.messages import (
    TaskProgress,
    VideoCanceled,
    VideoDeleteRequested,
    VideoFailed,
    VideoReady,
    VideoReprocessRequested,
    VideoRetryRequested,
    VideoStateChanged,
    VideoUploaded,
)
from moviola.ports.video_store import VideoFilter
from moviola.video import HistoryEntry
from moviola_api import events
from moviola_api.context import context_of, tenant_of
from moviola_api.feed import NewsEvent, StreamEnded
from moviola_api.watch import VideoIdData, Watch, state_of_entry, state_of_event

# So many of a tenant's newest videos are looked through for what a returning client missed.
REPLAYED_VIDEOS = 100
# Ids and times of change are made by orchestrators, whose clocks differ a little.
CLOCK_SKEW = timedelta(seconds=5)
_ENDS = {VideoReady.type: "ready", VideoFailed.type: "failed", VideoCanceled.type: "canceled"}


async def tenant_events(request: web.Request) -> web.StreamResponse:
    """New videos come as ``video``, ends as ``ready``, ``failed`` or ``canceled``, each with the whole document."""
    context = context_of(request)
    watch = Watch(request)
    with (
        context.feed.subscribe(tenant_of(request), on_drop=request.protocol.force_close) as subscription,
        context.metrics.listeners.track_inprogress(),
    ):
        await watch.stream.open()
        for entry in await _missed(request, watch.stream.last_id):
            await watch.stream.send("state", state_of_entry(entry), id=entry.id)
        while True:
            try:
                await _tell(watch, await subscription.next(timeout=events.HEARTBEAT_SECONDS))
            except TimeoutError:
                await watch.stream.beat()
            except StreamEnded:
                break
    await watch.stream.response.write_eof()
    return watch.stream.response


async def _missed(request: web.Request, last_id: str | None) -> list[HistoryEntry]:
    """The states of all newest videos behind the entry *last_id*, in order."""
    if last_id is None:
        return []
    since = _time_of(last_id) - CLOCK_SKEW
    missed: list[HistoryEntry] = []
    async with context_of(request).store.snapshot() as transaction:
        for found in await transaction.videos.page(VideoFilter(tenant=tenant_of(request)), limit=REPLAYED_VIDEOS):
            if found.latest is not None and found.latest.updated_at >= since:
                entries = await transaction.history.of_video(found.video.id, after=last_id)
                missed += [entry for entry in entries if entry.subject == "run"]
    return sorted(missed, key=lambda entry: entry.id)


def _time_of(entry_id: str) -> datetime:
    """When a UUIDv7 was made: its first 48 bits are milliseconds (RFC 9562, section 5.7)."""
    return datetime.fromtimestamp((UUID(entry_id).int >> 80) / 1000, UTC)


async def _tell(watch: Watch, event: NewsEvent) -> None:
    try:
        match event:
            case VideoUploaded() | VideoRetryRequested() | VideoReprocessRequested():
                await watch.send_video("video", await watch.look(event.video_id))
            case VideoStateChanged():
                watch.forget(event.video_id)
                # Videos take turns here, so an id may be smaller than the one before it.
                await watch.stream.send("state", state_of_event(event), id=event.entry_id)
            case TaskProgress():
                await watch.send_progress(event)
            case VideoReady() | VideoFailed() | VideoCanceled():
                await watch.send_video(_ENDS[event.type], await watch.look(event.video_id))
            case VideoDeleteRequested():
                await watch.stream.send("deleted", VideoIdData(video_id=event.video_id))
            case _:
                pass
    except NotFound:
        # It was deleted meanwhile, which is told by an event of its own.
        return
