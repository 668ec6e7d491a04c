"""What happened to a video: appended, never changed."""

from collections.abc import Sequence

import sqlalchemy as sa

from moviola.adapters.video_store.schema import history
from moviola.adapters.video_store.statements import Statements, columns, field_names, values
from moviola.video import HistoryEntry, VideoId

ENTRY_FIELDS = field_names(HistoryEntry)
_APPEND = sa.insert(history)
_OF_VIDEO = (
    sa.select(*columns(history, ENTRY_FIELDS))
    .where(history.c.video_id == sa.bindparam("video_id"), history.c.id > sa.bindparam("after"))
    .order_by(history.c.id)
)


class SqlHistory:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, entries: Sequence[HistoryEntry]) -> None:
        if entries:
            await self._statements.write(_APPEND, [values(entry, ENTRY_FIELDS) for entry in entries])

    async def of_video(self, video_id: VideoId, *, after: str | None = None) -> Sequence[HistoryEntry]:
        rows = await self._statements.read(_OF_VIDEO, {"video_id": video_id, "after": after or ""})
        return [HistoryEntry(**row._mapping) for row in rows]
