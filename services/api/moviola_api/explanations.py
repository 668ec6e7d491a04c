"""``GET /v1/videos/{id}/explain``: look at everything that an explanation goes by, and explain."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from moviola.ports.video_store import DeadLetterFilter, Transaction
from moviola.video import Task, TaskId, TaskState, utc_now
from moviola_api.context import context_of, tenant_of
from moviola_api.explaining import explain
from moviola_api.lookup import find, see, video_id_of
from moviola_api.past import run_at
from moviola_api.presentation import json_response
from moviola_api.waiting import Circumstances

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_QUEUED = (TaskState.PENDING, TaskState.DISPATCHED)


async def explain_video(request: web.Request) -> web.Response:
    """As this replica sees it: whether the bus is there is asked of its own connection."""
    context, video_id = context_of(request), video_id_of(request)
    now = utc_now()
    async with context.store.snapshot() as view:
        sight = await see(view, await find(view, tenant_of(request), video_id))
        past = run_at(await view.history.of_video(video_id))
        unsent_since = (await view.outbox.pending())[1]
        around = Circumstances(
            now=now,
            video=sight.video,
            latest=sight.latest,
            serving=sight.serving,
            since=past.since if past is not None else None,
            tasks=sight.tasks,
            places=await _places(view, sight.tasks, now),
            workers=await view.workers.alive(since=_EVER),
            silence=timedelta(seconds=context.settings.worker_silent_seconds),
            bus_here=context.bus.connected_since() is not None,
            unsent_since=unsent_since,
            dead_letters=await view.dead_letters.page(
                DeadLetterFilter(tenant=sight.video.tenant, correlation_id=video_id), limit=10
            ),
            live=context.progress.of(sight.latest.id) if sight.latest is not None else {},
        )
    return json_response(explain(around))


async def _places(view: Transaction, tasks: Sequence[Task], now: datetime) -> dict[TaskId, int]:
    """Of those that wait for their turn or lie on the bus; what is held back has no place yet."""
    queued = [task for task in tasks if task.state in _QUEUED and (task.not_before is None or task.not_before <= now)]
    return {task.id: await view.tasks.ahead(task, now=now) + 1 for task in queued}
