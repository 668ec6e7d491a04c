"""``GET /v1/videos/{id}/history``: every transition with its cause, and what the video was at a past time."""

from datetime import datetime
from typing import Self
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, Field

from moviola.video import HistoryEntry, RunId, RunState, Status
from moviola_api.context import context_of, tenant_of
from moviola_api.cursors import cursor_after, read_cursor
from moviola_api.documents import Document
from moviola_api.lookup import find, video_id_of
from moviola_api.past import PastRun, run_at
from moviola_api.presentation import json_response
from moviola_api.queries import Query, read_query


class HistoryDocument(Document):
    """``subject`` is ``run``, or the name of a pass; ``attempt`` the one that a pass moved from."""

    id: str
    run_id: str
    at: datetime
    subject: str
    previous: str | None
    state: str
    event: str
    cause: str
    worker: str | None
    attempt: int | None

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class PastTaskDocument(Document):
    name: str
    state: str
    attempt: int
    worker: str | None
    since: datetime


class PastDocument(Document):
    """The latest run as it was at the time that was asked for, and since when; and its passes so far."""

    run_id: str
    state: RunState
    status: Status
    since: datetime
    tasks: tuple[PastTaskDocument, ...]

    @classmethod
    def of(cls, past: PastRun) -> Self:
        tasks = tuple(
            PastTaskDocument(**{name: getattr(task, name) for name in PastTaskDocument.model_fields})
            for task in past.tasks
        )
        return cls(run_id=past.run_id, state=past.state, status=past.status, since=past.since, tasks=tasks)


class HistoryList(Document):
    """``past`` is null unless a time was asked for, and where no run had begun by then."""

    data: tuple[HistoryDocument, ...]
    next_cursor: str | None
    at: datetime | None = None
    past: PastDocument | None = None


class HistoryQuery(Query):
    """What ``GET …/history`` takes; with ``at`` only what had happened by then is told."""

    limit: int = Field(default=200, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200)
    run: UUID | None = None
    at: AwareDatetime | None = None


async def show_history(request: web.Request) -> web.Response:
    """In the order in which it happened."""
    query, video_id = read_query(request, HistoryQuery), video_id_of(request)
    run_id = RunId(str(query.run)) if query.run is not None else None
    wanted = (tenant_of(request), video_id, run_id, query.at)
    after = read_cursor(query.cursor, wanted) if query.cursor is not None else None
    async with context_of(request).store.snapshot() as view:
        await find(view, tenant_of(request), video_id)
        found = await view.history.page(video_id, limit=query.limit + 1, run_id=run_id, until=query.at, after=after)
        past = await view.history.of_video(video_id) if query.at is not None else ()
    shown = found[: query.limit]
    more = len(found) > query.limit
    then = run_at(one for one in past if query.at is not None and one.at <= query.at and run_id in (None, one.run_id))
    return json_response(
        HistoryList(
            data=tuple(HistoryDocument.of(entry) for entry in shown),
            next_cursor=cursor_after(shown[-1].id, wanted) if more else None,
            at=query.at,
            past=PastDocument.of(then) if then is not None else None,
        )
    )
