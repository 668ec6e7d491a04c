"""Videos, and what is asked of them together with their runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.column_types import KEY
from moviola.adapters.video_store.containment import holds_tag
from moviola.adapters.video_store.runs import RUN_FIELDS, run_of
from moviola.adapters.video_store.statements import Row, Statements, columns, field_names, upsert, values
from moviola.errors import StaleVersion
from moviola.ports.video_store import VideoFilter, VideoWithRuns
from moviola.video import STATUS_OF_RUN_STATE, Status, Tenant, Video, VideoId, VideoState, new_id

VIDEO_FIELDS = field_names(Video)
_videos, _runs, _purges = schema.videos, schema.runs, schema.purges
_latest, _serving = _runs.alias("latest"), _runs.alias("serving")
_shown_runs = sa.and_(_runs.c.video_id == _videos.c.id, sa.or_(_runs.c.is_latest, _runs.c.is_serving))

_INSERT = sa.insert(_videos)
_SAVE = (
    sa.update(_videos)
    .where(_videos.c.id == sa.bindparam("the_id"), _videos.c.tenant == sa.bindparam("the_tenant"))
    .where(_videos.c.version == sa.bindparam("the_version"))
    # Whoever asks for another run has it made.
    .values(
        started=sa.and_(
            _videos.c.started, _videos.c.wanted_run.is_not_distinct_from(sa.bindparam("the_run", type_=KEY))
        )
    )
)
_GET = (
    sa.select(*columns(_videos, VIDEO_FIELDS), *columns(_runs, RUN_FIELDS), _runs.c.is_latest, _runs.c.is_serving)
    .outerjoin(_runs, _shown_runs)
    .where(_videos.c.id == sa.bindparam("id"), _videos.c.tenant == sa.bindparam("tenant"))
)
_WITHOUT_RUN = (
    sa.select(*columns(_videos, VIDEO_FIELDS))
    .where(_videos.c.state == sa.literal_column("'uploaded'"), sa.not_(_videos.c.started))
    .order_by(_videos.c.id)
    .limit(sa.bindparam("limit"))
)
_TO_CANCEL = (
    sa.select(*columns(_videos, VIDEO_FIELDS))
    .join(_runs, sa.and_(_runs.c.video_id == _videos.c.id, _runs.c.is_latest, _runs.c.is_unfinished))
    .where(_videos.c.cancel_requested_at > _runs.c.created_at)
    # By the run's column: sorted by the other one, SQLite would walk through all videos.
    .order_by(_runs.c.video_id)
    .limit(sa.bindparam("limit"))
)
_TO_PURGE = (
    sa.select(*columns(_videos, VIDEO_FIELDS))
    .join(_purges, _purges.c.video_id == _videos.c.id)
    .where(_purges.c.purged_at.is_(None))
    .order_by(_purges.c.video_id)
    .limit(sa.bindparam("limit"))
)
_ASK_PURGE = upsert(lambda insert: insert(_purges).on_conflict_do_nothing())
_shared_origins = (
    sa.select(schema.tasks.c.origin)
    .join(_runs, _runs.c.id == schema.tasks.c.run_id)
    .where(_runs.c.video_id == sa.bindparam("the_id"), schema.tasks.c.origin.is_not(None))
)
# Locked, so that none of them is deleted just now: such a one would not know yet that it is told.
_LOCK_ORIGINS = (
    sa.select(_videos.c.id).where(_videos.c.id.in_(_shared_origins)).order_by(_videos.c.id).with_for_update(read=True)
)
_RELEASE = (
    sa.update(_purges)
    .where(_purges.c.video_id.in_(_shared_origins), _purges.c.video_id != sa.bindparam("the_id"))
    .values(released=sa.bindparam("token"))
)
_PURGED = sa.update(_purges).where(_purges.c.video_id == sa.bindparam("the_id")).values(purged_at=sa.bindparam("at"))
_FORGET = (
    sa.delete(schema.tasks).where(
        schema.tasks.c.run_id.in_(sa.select(_runs.c.id).where(_runs.c.video_id == sa.bindparam("id")))
    ),
    sa.delete(schema.history).where(schema.history.c.video_id == sa.bindparam("id")),
    sa.delete(_runs).where(_runs.c.video_id == sa.bindparam("id")),
)


def _video_of(row: Sequence[Any]) -> Video:
    return Video(**dict(zip(VIDEO_FIELDS, row, strict=False)))


def _with_runs(rows: Sequence[Row]) -> VideoWithRuns:
    """From a video's rows, one for each of its runs that is shown (or one without)."""
    latest = serving = None
    for row in rows:
        is_latest, is_serving = row[-2], row[-1]
        run = run_of(row[len(VIDEO_FIELDS) :]) if is_latest is not None else None
        latest = run if is_latest else latest
        serving = run if is_serving else serving
    return VideoWithRuns(_video_of(rows[0]), latest, serving)


def _has_status(status: Status) -> sa.ColumnElement[bool]:
    """``moviola.video.status_of`` said in SQL, over a video and its latest and serving runs."""
    uploaded = _videos.c.state == VideoState.UPLOADED
    states = [state for state, coarse in STATUS_OF_RUN_STATE.items() if coarse is status]
    unserved = sa.and_(uploaded, _videos.c.started, _serving.c.id.is_(None), _latest.c.state.in_(states))
    match status:
        case Status.WAITING_UPLOAD:
            return _videos.c.state == VideoState.WAITING_UPLOAD
        case Status.READY:
            return sa.and_(uploaded, _serving.c.id.is_not(None))
        case Status.QUEUED:
            return sa.or_(sa.and_(uploaded, sa.not_(_videos.c.started), _serving.c.id.is_(None)), unserved)
        case _:
            return unserved


def _page(wanted: VideoFilter, limit: int, before: VideoId | None) -> sa.Select[Any]:
    picked = sa.select(_videos.c.id).where(_videos.c.tenant == wanted.tenant, _videos.c.state != VideoState.DELETED)
    if wanted.status is not None:
        picked = (
            picked.outerjoin(_latest, sa.and_(_latest.c.video_id == _videos.c.id, _latest.c.is_latest))
            .outerjoin(_serving, sa.and_(_serving.c.video_id == _videos.c.id, _serving.c.is_serving))
            .where(_has_status(wanted.status))
        )
    if wanted.tag is not None:
        picked = picked.where(holds_tag(_videos.c.tags, wanted.tag))
    if wanted.text is not None:
        picked = picked.where(_videos.c.words.contains(wanted.text.casefold(), autoescape=True))
    if before is not None:
        picked = picked.where(_videos.c.id < before)
    page = picked.order_by(_videos.c.id.desc()).limit(limit).subquery("page")
    return (
        sa.select(*columns(_videos, VIDEO_FIELDS), *columns(_runs, RUN_FIELDS), _runs.c.is_latest, _runs.c.is_serving)
        .join(page, page.c.id == _videos.c.id)
        .outerjoin(_runs, _shown_runs)
        .order_by(_videos.c.id.desc())
    )


def _row(video: Video) -> dict[str, Any]:
    return values(video, VIDEO_FIELDS) | {"words": f"{video.title}\n{video.filename}".casefold()}


class SqlVideos:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, video: Video) -> None:
        await self._statements.write(_INSERT, _row(video) | {"started": False})
        await self._ask_purge(video)

    async def get(self, tenant: Tenant, video_id: VideoId) -> VideoWithRuns | None:
        rows = await self._statements.read(_GET, {"id": video_id, "tenant": tenant})
        return _with_runs(rows) if rows else None

    async def save(self, video: Video) -> None:
        keys = {"the_id": video.id, "the_tenant": video.tenant, "the_version": video.version}
        keys["the_run"] = video.wanted_run
        if not await self._statements.write(_SAVE, _row(video) | {"version": video.version + 1} | keys):
            raise StaleVersion(f"The video {video.id} was changed by somebody else.")
        await self._ask_purge(video)

    async def _ask_purge(self, video: Video) -> None:
        if video.state is VideoState.DELETED:
            await self._statements.upsert(_ASK_PURGE, {"video_id": video.id, "tenant": video.tenant})

    async def page(self, wanted: VideoFilter, *, limit: int, before: VideoId | None = None) -> Sequence[VideoWithRuns]:
        videos: dict[str, list[Row]] = {}
        for row in await self._statements.read(_page(wanted, limit, before)):
            videos.setdefault(row[0], []).append(row)
        return [_with_runs(rows) for rows in videos.values()]

    async def without_run(self, *, limit: int) -> Sequence[Video]:
        return [_video_of(row) for row in await self._statements.read(_WITHOUT_RUN, {"limit": limit})]

    async def to_cancel(self, *, limit: int) -> Sequence[Video]:
        return [_video_of(row) for row in await self._statements.read(_TO_CANCEL, {"limit": limit})]

    async def to_purge(self, *, limit: int) -> Sequence[Video]:
        return [_video_of(row) for row in await self._statements.read(_TO_PURGE, {"limit": limit})]

    async def purged(self, video_id: VideoId, *, at: datetime) -> None:
        await self._statements.lock(_LOCK_ORIGINS, {"the_id": video_id})
        await self._statements.write(_RELEASE, {"the_id": video_id, "token": new_id()})
        for statement in _FORGET:
            await self._statements.write(statement, {"id": video_id})
        await self._statements.write(_PURGED, {"the_id": video_id, "at": at})
