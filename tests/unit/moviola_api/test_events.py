"""Server-sent events of one video and of all."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from moviola.messages import (
    Message,
    TaskProgress,
    VideoDeleteRequested,
    VideoReady,
    VideoStateChanged,
    VideoUploaded,
)
from moviola.ports.message_bus import post
from moviola.video import (
    DEFAULT_TENANT,
    HistoryEntry,
    Run,
    RunId,
    RunState,
    Status,
    TaskId,
    TaskState,
    VideoId,
    new_id,
    utc_now,
)
from moviola_api import event_stream, events, feed
from tests.unit.moviola_api.conftest import Api, Document
from tests.unit.moviola_api.samples import a_run, a_task


class Stream:
    """An open stream, read event by event."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> tuple[str, Document, str | None]:
        """Name, data and id of the next event; ``("comment", …)`` for a comment; ``("end", …)`` at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(60):
            while line := (await self.answer.content.readline()).decode():
                if line == "\n" and "event" in fields:
                    return fields["event"], json.loads(fields["data"]), fields.get("id")
                if line.startswith(":"):
                    return "comment", {}, None
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
        return "end", {}, None

    async def names(self) -> list[str]:
        """Of all events until the end."""
        names = []
        while (name := (await self.next())[0]) != "end":
            names.append(name)
        return names


@asynccontextmanager
async def listening(api: Api, path: str, *, last_id: str | None = None) -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id is not None else {}
    async with api.http.get(path, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        yield Stream(answer)


async def tell(api: Api, *messages: Message) -> None:
    await api.parts.bus.publish([post(message) for message in messages])


def a_state(run: Run, state: RunState, *, entry_id: str | None = None) -> VideoStateChanged:
    return VideoStateChanged(
        video_id=run.video_id,
        tenant=DEFAULT_TENANT,
        entry_id=entry_id or new_id(),
        run_id=run.id,
        previous=None,
        state=state,
        status=Status.PROCESSING,
        cause="because",
        at=utc_now(),
    )


def a_progress(run: Run, done: float) -> TaskProgress:
    return TaskProgress(
        task_id=TaskId(new_id()),
        run_id=run.id,
        video_id=run.video_id,
        tenant=DEFAULT_TENANT,
        name="render",
        attempt=1,
        worker="w",
        nonce="n",
        progress=done,
        eta_seconds=9.5,
    )


def the_end(run: Run) -> VideoReady:
    return VideoReady(video_id=run.video_id, tenant=DEFAULT_TENANT, run_id=run.id, files=())


async def a_rendering(api: Api) -> Run:
    """A video whose run renders now."""
    video = await api.upload()
    run = replace(a_run(VideoId(video["id"])), state=RunState.RENDERING, finished_at=None)
    return await api.save_run(run, a_task(run, "probe", TaskState.SUCCEEDED), a_task(run, "render", TaskState.RUNNING))


async def write_history(api: Api, run: Run, *states: RunState) -> list[HistoryEntry]:
    entries = [
        HistoryEntry(
            id=new_id(),
            video_id=run.video_id,
            run_id=run.id,
            tenant=DEFAULT_TENANT,
            at=utc_now(),
            subject="run",
            previous=None,
            state=state,
            event="x",
            cause="because",
        )
        for state in states
    ]
    async with api.parts.store.transaction() as transaction:
        await transaction.history.append(
            [*entries, replace(entries[0], id=new_id(), subject="render", state="running")]
        )
    return entries


async def test_a_video_is_followed_from_what_it_is_to_its_end(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        name, document, _ = await stream.next()
        assert (name, document["id"], document["state"]) == ("video", run.video_id, "rendering")

        await tell(api, a_progress(run, 0.5))
        name, data, _ = await stream.next()
        assert (name, data["progress"], data["pass_progress"]) == ("progress", pytest.approx(0.48), 0.5)
        assert data["eta_seconds"] > 9.5

        state = a_state(run, RunState.THUMBNAILING)
        await tell(api, state)
        name, data, event_id = await stream.next()
        assert (name, data["state"], data["cause"], event_id) == ("state", "thumbnailing", "because", state.entry_id)

        await api.change_run(run, state=RunState.READY)
        await tell(api, a_state(run, RunState.READY), the_end(run))
        assert (await stream.next())[0] == "state"
        name, document, _ = await stream.next()
        assert (name, document["status"]) == ("ready", "ready")
        assert await stream.names() == []


async def test_the_bar_never_goes_back_though_a_pass_begins_anew(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        await tell(api, a_progress(run, 0.5))
        first = (await stream.next())[1]
        await tell(api, a_progress(run, 0.1).model_copy(update={"attempt": 2}))
        second = (await stream.next())[1]

    assert (first["pass_progress"], second["pass_progress"]) == (0.5, 0.1)
    assert first["progress"] == second["progress"] == pytest.approx(0.48)


async def test_the_videos_document_has_the_progress_that_was_heard(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        await tell(api, a_progress(run, 0.5))
        await stream.next()

    video = await api.get(f"/v1/videos/{run.video_id}")

    assert video["progress"] == pytest.approx(0.48)
    assert video["steps"][0]["progress"] == 0.5


async def test_events_of_other_videos_are_not_told(api: Api) -> None:
    run, other = await a_rendering(api), await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        await tell(api, a_state(other, RunState.READY), the_end(other), a_state(run, RunState.THUMBNAILING))

        assert (await stream.next())[1]["video_id"] == run.video_id


async def test_a_returning_client_is_told_the_states_that_it_missed(api: Api) -> None:
    run = await a_rendering(api)
    first, *missed = await write_history(api, run, RunState.PROBING, RunState.RENDERING, RunState.THUMBNAILING)
    async with listening(api, f"/v1/videos/{run.video_id}/events", last_id=first.id) as stream:
        assert (await stream.next())[0] == "video"
        told = [await stream.next() for _ in missed]
        # The bus tells again what the history told already.
        await tell(api, a_state(run, RunState.THUMBNAILING, entry_id=missed[-1].id), a_progress(run, 0.9))
        following = await stream.next()

    assert [(name, event_id) for name, _, event_id in told] == [("state", entry.id) for entry in missed]
    assert following[0] == "progress"


async def test_a_finished_video_ends_its_stream_and_tells_a_returning_client_to_stay_away(api: Api) -> None:
    run = await a_rendering(api)
    (last,) = await write_history(api, run, RunState.READY)
    await api.change_run(run, state=RunState.READY)
    path = f"/v1/videos/{run.video_id}/events"

    async with listening(api, path) as stream:
        assert await stream.names() == ["video", "ready"]
    async with listening(api, path, last_id=run.id) as stream:
        assert await stream.names() == ["video", "state", "ready"]
    async with api.http.get(path, headers={"Last-Event-ID": last.id}) as answer:
        assert answer.status == 204


async def test_a_lost_event_is_found_in_the_database(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        assert (await stream.next())[0] == "video"
        assert (await stream.next())[0] == "comment"
        await write_history(api, run, RunState.READY)
        await api.change_run(run, state=RunState.READY)

        names = [name for name in await stream.names() if name != "comment"]

    assert names == ["state", "ready"]


async def test_a_video_that_is_deleted_meanwhile_ends_its_stream(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        await tell(api, VideoDeleteRequested(video_id=run.video_id, tenant=DEFAULT_TENANT))

        assert await stream.names() == ["deleted"]


async def test_the_stream_of_all_videos_tells_new_ones_moves_and_ends(api: Api) -> None:
    async with listening(api, "/v1/events") as stream:
        run = await a_rendering(api)
        await tell(api, VideoUploaded(video_id=run.video_id, tenant=DEFAULT_TENANT), a_progress(run, 0.1))
        assert [(await stream.next())[0] for _ in range(2)] == ["video", "progress"]

        await api.change_run(run, state=RunState.READY)
        await tell(api, a_state(run, RunState.READY), the_end(run))
        assert [(await stream.next())[0] for _ in range(2)] == ["state", "ready"]

        await tell(api, VideoDeleteRequested(video_id=run.video_id, tenant=DEFAULT_TENANT))
        assert await stream.next() == ("deleted", {"video_id": run.video_id}, None)


async def test_what_happened_in_another_tenant_is_not_told(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, "/v1/events") as stream:
        stranger = a_state(run, RunState.READY).model_copy(update={"tenant": "other"})
        await tell(api, stranger, a_state(run, RunState.THUMBNAILING))

        assert (await stream.next())[1]["state"] == "thumbnailing"


async def test_a_client_returning_to_all_videos_is_told_what_it_missed_in_order(api: Api) -> None:
    one, other = await a_rendering(api), await a_rendering(api)
    first = (await write_history(api, one, RunState.PROBING))[0]
    second = (await write_history(api, other, RunState.PROBING))[0]
    third = (await write_history(api, one, RunState.RENDERING))[0]
    for run in (one, other):
        await api.change_run(run, updated_at=utc_now())

    async with listening(api, "/v1/events", last_id=first.id) as stream:
        told = [(await stream.next())[2] for _ in range(2)]

    assert told == [second.id, third.id]


async def test_a_client_that_does_not_read_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_BEHIND", 3)
    blocked, go_on = asyncio.Event(), asyncio.Event()

    async def stuck(*_: object, **__: object) -> None:
        blocked.set()
        await go_on.wait()

    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        # As if the socket's buffer were full.
        monkeypatch.setattr(event_stream.EventStream, "send", stuck)
        await tell(api, *[a_state(run, RunState.RENDERING) for _ in range(6)])
        await blocked.wait()

        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.names()
        go_on.set()


async def test_an_event_of_a_run_that_is_not_known_yet_is_no_error(api: Api) -> None:
    run = await a_rendering(api)
    async with listening(api, f"/v1/videos/{run.video_id}/events") as stream:
        await stream.next()
        await tell(api, a_progress(replace(run, id=RunId(new_id())), 0.5), a_progress(run, 0.6))

        assert (await stream.next())[1]["pass_progress"] == 0.6
