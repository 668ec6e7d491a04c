"""``GET /v1/videos/{id}/events``: the states and the progress of one video as server-sent events.

A stream begins with the video as it is, replays the states that a returning client mis, and ends with ``ready``,
``failed`` or ``canceled``. At every heartbeat it looks into the database too: the bus may lose an event.
"""

from aiohttp import web

from moviola.errors import NotFound
from moviola.messages import (
    TaskProgress,
    VideoCanceled,
    VideoDeleteRequested,
    VideoFailed,
    VideoReady,
    VideoStateChanged,
)
from moviola.video import TERMINAL_RUN_STATES, VideoId, awaits_run
from moviola_api.context import context_of, tenant_of
from moviola_api.feed import NewsEvent, StreamEnded, Subscription
from moviola_api.lookup import Sight, video_id_of
from moviola_api.watch import VideoIdData, Watch, state_of_event

HEARTBEAT_SECONDS = 15.0


async def video_events(request: web.Request) -> web.StreamResponse:
    """``GET /v1/videos/{id}/events``; 204, which ends an ``EventSource``, for one that was told all before."""
    context, video_id = context_of(request), video_id_of(request)
    watch = Watch(request)
    with context.feed.subscribe(tenant_of(request), video_id, on_drop=request.protocol.force_close) as subscription:
        sight = await watch.look(video_id)
        if _is_over(sight) and watch.stream.last_id is not None and not await watch.missed(video_id):
            return web.Response(status=204)
        with context.metrics.listeners.track_inprogress():
            await watch.stream.open()
            await watch.send_video("video", sight)
            if watch.stream.last_id is not None:
                await watch.replay(video_id, after=watch.stream.last_id)
            await _follow(watch, subscription, video_id, over=_is_over(sight))
    await watch.stream.response.write_eof()
    return watch.stream.response


def _is_over(sight: Sight) -> bool:
    latest = sight.latest
    return latest is not None and latest.state in TERMINAL_RUN_STATES and not awaits_run(sight.video, latest)


async def _follow(watch: Watch, subscription: Subscription, video_id: VideoId, *, over: bool) -> None:
    try:
        while not over:
            try:
                over = await _tell(watch, await subscription.next(timeout=HEARTBEAT_SECONDS))
            except TimeoutError:
                await watch.stream.beat()
                await watch.replay(video_id, after=watch.stream.last_id)
                over = _is_over(await watch.look(video_id))
        await _say_the_end(watch, video_id)
    except StreamEnded:
        return
    except NotFound:
        # Headers are out, so a deleted video is an event rather than a 404.
        await watch.stream.send("deleted", VideoIdData(video_id=video_id))


async def _say_the_end(watch: Watch, video_id: VideoId) -> None:
    sight = await watch.look(video_id)
    if sight.latest is not None:
        await watch.send_video(sight.latest.state.value, sight)


async def _tell(watch: Watch, event: NewsEvent) -> bool:
    """Pass on one event of one video; whether that was the last."""
    match event:
        case VideoStateChanged():
            watch.forget(event.video_id)
            await watch.send_state(event.entry_id, state_of_event(event))
        case TaskProgress():
            await watch.send_progress(event)
        case VideoDeleteRequested():
            raise NotFound("The video was deleted.")
        case VideoReady() | VideoFailed() | VideoCanceled():
            return True
        case _:
            pass
    return False
