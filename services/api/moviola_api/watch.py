"""One client's look at videos through an event stream: what it was told, and what it is told next."""

from datetime import datetime

from aiohttp import web

from moviola.messages import TaskProgress, VideoStateChanged
from moviola.video import STATUS_OF_RUN_STATE, HistoryEntry, RunId, RunState, Status, VideoId
from moviola_api.context import context_of, tenant_of
from moviola_api.documents import Document
from moviola_api.event_stream import EventStream
from moviola_api.lookup import Sight, find, see
from moviola_api.presentation import video_document
from moviola_api.progress import overall

REMEMBERED_VIDEOS = 100


class StateData(Document):
    """A run moved on; the event's id is the id of its history entry."""

    video_id: str
    run_id: str
    previous: str | None
    state: RunState
    status: Status
    cause: str
    at: datetime


class ProgressData(Document):
    """``progress`` of the whole run, 0 to 1; ``pass_progress`` of the pass that is running now."""

    video_id: str
    progress: float
    eta_seconds: float | None
    pass_name: str
    pass_progress: float


class VideoIdData(Document):
    video_id: str


def state_of_entry(entry: HistoryEntry) -> StateData:
    state = RunState(entry.state)
    return StateData(
        video_id=entry.video_id,
        run_id=entry.run_id,
        previous=entry.previous,
        state=state,
        status=STATUS_OF_RUN_STATE[state],
        cause=entry.cause,
        at=entry.at,
    )


def state_of_event(event: VideoStateChanged) -> StateData:
    return StateData.model_validate(event.model_dump(include=set(StateData.model_fields)))


class Watch:
    """One client's look at videos: what it was told, and what it has to be told next."""

    def __init__(self, request: web.Request) -> None:
        self.stream = EventStream(request)
        self._context = context_of(request)
        self._tenant = tenant_of(request)
        self._sights: dict[VideoId, Sight] = {}
        self._furthest: dict[RunId, float] = {}

    async def look(self, video_id: VideoId) -> Sight:
        """Read the video anew."""
        async with self._context.store.snapshot() as transaction:
            sight = await see(transaction, await find(transaction, self._tenant, video_id))
        self._sights.pop(video_id, None)
        self._sights[video_id] = sight
        if len(self._sights) > REMEMBERED_VIDEOS:
            self._sights.pop(next(iter(self._sights)))
        return sight

    async def send_video(self, event: str, sight: Sight, *, id: str | None = None) -> None:
        live = self._context.progress.of(sight.latest.id) if sight.latest is not None else {}
        await self.stream.send(event, video_document(sight, live), id=id)

    async def send_state(self, entry_id: str, data: StateData) -> None:
        """Unless the client was told already: ids of a video grow."""
        if self.stream.last_id is None or entry_id > self.stream.last_id:
            await self.stream.send("state", data, id=entry_id)

    async def replay(self, video_id: VideoId, *, after: str | None) -> None:
        """The states of a video's runs behind the entry *after*."""
        async with self._context.store.snapshot() as transaction:
            entries = await transaction.history.of_video(video_id, after=after)
        for entry in entries:
            if entry.subject == "run":
                await self.send_state(entry.id, state_of_entry(entry))

    async def missed(self, video_id: VideoId) -> bool:
        """Whether there are states that the client was not told."""
        async with self._context.store.snapshot() as transaction:
            entries = await transaction.history.of_video(video_id, after=self.stream.last_id)
        return any(entry.subject == "run" for entry in entries)

    async def send_progress(self, event: TaskProgress) -> None:
        """How far the whole run is, now that one pass moved."""
        sight = self._sights.get(event.video_id) or await self.look(event.video_id)
        if sight.latest is None or sight.latest.id != event.run_id:
            sight = await self.look(event.video_id)
        if sight.latest is None or sight.latest.id != event.run_id:
            return
        how_far = overall(sight.latest, sight.tasks, self._context.progress.of(event.run_id))
        data = ProgressData(
            video_id=event.video_id,
            progress=self._onward(event.run_id, round(how_far.done, 4)),
            eta_seconds=round(how_far.eta_seconds, 1) if how_far.eta_seconds is not None else None,
            pass_name=event.name,
            pass_progress=event.progress,
        )
        await self.stream.send("progress", data)

    def _onward(self, run_id: RunId, done: float) -> float:
        """A bar that was shown never goes back, though a pass that failed begins anew."""
        furthest = max(done, self._furthest.pop(run_id, 0.0))
        self._furthest[run_id] = furthest
        if len(self._furthest) > REMEMBERED_VIDEOS:
            self._furthest.pop(next(iter(self._furthest)))
        return furthest

    def forget(self, video_id: VideoId) -> None:
        """What is known of it is out of date."""
        self._sights.pop(video_id, None)
