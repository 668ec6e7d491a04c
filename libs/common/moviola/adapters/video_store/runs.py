"""Runs, and which of a video's is the latest and which one serves."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.statements import Statements, columns, field_names, upsert, values
from moviola.errors import StaleVersion
from moviola.video import TERMINAL_RUN_STATES, Run, RunId, RunState, VideoId

RUN_FIELDS = field_names(Run)
_runs, _videos = schema.runs, schema.videos
_video_id: sa.BindParameter[str] = sa.bindparam("the_video_id")

_ADD = upsert(lambda insert: insert(_runs).on_conflict_do_nothing())
_STARTED = sa.update(_videos).where(_videos.c.id == _video_id).values(started=True)
_OLD_LATEST = sa.update(_runs).where(_runs.c.video_id == _video_id, _runs.c.is_latest).values(is_latest=False)
_NEW_LATEST = sa.update(_runs).where(_runs.c.id == sa.bindparam("the_id")).values(is_latest=True)
_newer = _runs.alias("newer")
_OLD_SERVING = (
    sa.update(_runs)
    .where(_runs.c.video_id == _video_id, _runs.c.is_serving, _runs.c.number < sa.bindparam("the_number"))
    .values(is_serving=False)
)
# A run that becomes ready after a newer one has does not take its place.
_NEW_SERVING = (
    sa.update(_runs)
    .where(_runs.c.id == sa.bindparam("the_id"))
    .where(
        ~sa.exists().where(
            _newer.c.video_id == _video_id, _newer.c.is_serving, _newer.c.number > sa.bindparam("the_number")
        )
    )
    .values(is_serving=True)
)
_SAVE = sa.update(_runs).where(_runs.c.id == sa.bindparam("the_id"), _runs.c.version == sa.bindparam("the_version"))

_select = sa.select(*columns(_runs, RUN_FIELDS))
_GET = _select.where(_runs.c.id == sa.bindparam("id"))
# NO KEY: tasks refer to the run, and adding one must not wait for whoever only reads their references.
_LOCK = _GET.with_for_update(key_share=True)
_LATEST = _select.where(_runs.c.video_id == sa.bindparam("video_id"), _runs.c.is_latest)
_OF_VIDEO = _select.where(_runs.c.video_id == sa.bindparam("video_id")).order_by(_runs.c.number)


def run_of(row: Sequence[Any]) -> Run:
    """From a row that begins with a run's fields."""
    return Run(**dict(zip(RUN_FIELDS, row, strict=False)))


def _row(run: Run) -> dict[str, Any]:
    return values(run, RUN_FIELDS) | {"is_unfinished": run.state not in TERMINAL_RUN_STATES}


class SqlRuns:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, run: Run) -> None:
        first = run.number == 1
        row = _row(run) | {"is_latest": first, "is_serving": False}
        if not await self._statements.upsert(_ADD, row):
            raise StaleVersion(f"The video {run.video_id} already has a run {run.number}.")
        await self._statements.write(_STARTED, {"the_video_id": run.video_id})
        if not first:
            await self._statements.write(_OLD_LATEST, {"the_video_id": run.video_id})
            await self._statements.write(_NEW_LATEST, {"the_id": run.id})
        await self._serve(run)

    async def lock(self, run_id: RunId) -> Run | None:
        rows = await self._statements.lock(_LOCK, {"id": run_id})
        return run_of(rows[0]) if rows else None

    async def get(self, run_id: RunId) -> Run | None:
        rows = await self._statements.read(_GET, {"id": run_id})
        return run_of(rows[0]) if rows else None

    async def latest(self, video_id: VideoId) -> Run | None:
        rows = await self._statements.read(_LATEST, {"video_id": video_id})
        return run_of(rows[0]) if rows else None

    async def of_video(self, video_id: VideoId) -> Sequence[Run]:
        return [run_of(row) for row in await self._statements.read(_OF_VIDEO, {"video_id": video_id})]

    async def save(self, run: Run) -> None:
        keys = {"the_id": run.id, "the_version": run.version}
        if not await self._statements.write(_SAVE, _row(run) | {"version": run.version + 1} | keys):
            raise StaleVersion(f"The run {run.id} was changed by somebody else.")
        await self._serve(run)

    async def _serve(self, run: Run) -> None:
        if run.state is RunState.READY:
            keys = {"the_video_id": run.video_id, "the_number": run.number}
            await self._statements.write(_OLD_SERVING, keys)
            await self._statements.write(_NEW_SERVING, keys | {"the_id": run.id})
