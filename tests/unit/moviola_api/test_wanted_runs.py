"""Asking for another run: what is written, what is told, and when it makes no sense."""

import asyncio
from dataclasses import replace

import pytest

from moviola.messages import VideoReprocessRequested, VideoRetryRequested
from moviola.video import Failure, Run, RunState, TaskState, VideoId, VideoState, utc_now
from tests.unit.moviola_api.conftest import Api, Document
from tests.unit.moviola_api.samples import a_run, a_task

MUTE = {"steps": [{"step": "mute"}]}
BROKEN = Failure(code="worker.crashed", step="render", message="It broke.")


async def asked(api: Api, path: str, body: object = None, *, status: int = 202, key: str | None = None) -> Document:
    headers = {"Idempotency-Key": key} if key else {}
    async with api.http.post(path, json=body, headers=headers) as answer:
        document: Document = await answer.json(content_type=None)
        assert answer.status == status, document
        return document


async def ended(api: Api, state: RunState) -> tuple[str, Run]:
    """A video whose first run is over."""
    video = await api.upload()
    run = replace(a_run(VideoId(video["id"])), state=state, failure=BROKEN if state is RunState.FAILED else None)
    await api.save_run(run, a_task(run, "probe", TaskState.SUCCEEDED))
    return str(video["id"]), run


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELED])
async def test_a_retry_is_wanted_told_and_shown_as_queued(api: Api, state: RunState) -> None:
    video_id, run = await ended(api, state)

    document = await asked(api, f"/v1/videos/{video_id}/retry")

    video = await api.video(video_id)
    assert video.retry_of == run.id
    told = [message for message in await api.posted() if isinstance(message, VideoRetryRequested)]
    assert [message.run_id for message in told] == [video.wanted_run]
    assert (document["status"], document["state"], document["failure"]) == ("queued", "uploaded", None)
    assert (document["last_run"]["id"], document["last_run"]["number"]) == (video.wanted_run, 2)
    assert {step["state"] for step in document["steps"]} == {"pending"}
    assert [one["id"] for one in (await api.get("/v1/videos?status=queued"))["data"]] == [video_id]


async def test_another_recipe_makes_a_ready_video_stay_ready(api: Api) -> None:
    video = await api.upload()
    old = await api.make_ready(video["id"], {"result.mp4": b"old"})

    run = await asked(api, f"/v1/videos/{video['id']}/runs", {"recipe": MUTE, "priority": 7})

    assert (run["video_id"], run["number"], run["state"]) == (video["id"], 2, "uploaded")
    assert [step["step"] for step in run["recipe"]["steps"]] == ["mute"]
    document = await api.get(f"/v1/videos/{video['id']}")
    assert (document["status"], document["priority"]) == ("ready", 7)
    assert [file["name"] for file in document["files"]] == ["result.mp4"]
    listed = (await api.get(f"/v1/videos/{video['id']}/runs"))["data"]
    assert [(one["number"], one["serving"]) for one in listed] == [(2, False), (1, True)]
    assert listed[1]["files"][0]["url"] == f"/v1/videos/{video['id']}/runs/{old.id}/files/result.mp4"
    assert await api.get(f"/v1/videos/{video['id']}/runs/{run['id']}") == listed[0]
    assert [message.run_id for message in await api.posted() if isinstance(message, VideoReprocessRequested)] == [
        run["id"]
    ]


async def test_a_reprocessing_that_failed_leaves_the_video_ready_and_says_why(api: Api) -> None:
    video = await api.upload()
    await api.make_ready(video["id"], {"result.mp4": b"old"})
    run = await asked(api, f"/v1/videos/{video['id']}/runs", {"recipe": "showcase"})
    made = replace(a_run(VideoId(video["id"])), id=run["id"], number=2, state=RunState.FAILED, failure=BROKEN)
    await api.save_run(made)

    document = await api.get(f"/v1/videos/{video['id']}")

    assert (document["status"], document["failure"]) == ("ready", None)
    assert document["last_run"]["failure"]["code"] == "worker.crashed"
    again = await asked(api, f"/v1/videos/{video['id']}/retry")
    assert again["status"] == "ready"
    assert again["last_run"]["number"] == 3


@pytest.mark.parametrize(
    ("state", "path", "code"),
    [
        (RunState.READY, "retry", "video.not_retryable"),
        (RunState.RENDERING, "retry", "video.not_retryable"),
        (RunState.CANCELING, "retry", "video.not_retryable"),
        (RunState.RENDERING, "runs", "video.not_finished"),
        (None, "retry", "video.not_retryable"),
        (None, "runs", "video.not_finished"),
    ],
)
async def test_what_makes_no_sense_is_a_conflict_and_changes_nothing(
    api: Api, state: RunState | None, path: str, code: str
) -> None:
    video_id = (await ended(api, state))[0] if state else (await api.upload())["id"]
    before = await api.video(video_id)

    problem = await asked(api, f"/v1/videos/{video_id}/{path}", {} if path == "runs" else None, status=409, key="k")

    assert problem["code"] == code
    assert await api.video(video_id) == before
    assert not [one for one in await api.posted() if isinstance(one, VideoRetryRequested | VideoReprocessRequested)]


async def test_a_file_that_has_not_arrived_has_no_run_to_ask_for(api: Api) -> None:
    video = await api.video((await api.upload())["id"])
    async with api.parts.store.transaction() as transaction:
        await transaction.videos.save(replace(video, state=VideoState.WAITING_UPLOAD))

    assert (await asked(api, f"/v1/videos/{video.id}/runs", {}, status=409))["code"] == "video.not_uploaded"


async def test_of_several_who_ask_at_once_one_is_heard(api: Api) -> None:
    video_id, _ = await ended(api, RunState.FAILED)

    async def ask(path: str) -> int:
        async with api.http.post(f"/v1/videos/{video_id}/{path}", json={} if path == "runs" else None) as answer:
            return answer.status

    statuses = await asyncio.gather(*(ask(path) for path in ("retry", "runs") * 4))

    assert sorted(statuses) == [202, *[409] * 7]


@pytest.mark.parametrize("path", ["retry", "runs"])
async def test_a_request_that_is_sent_again_asks_once(api: Api, path: str) -> None:
    video_id, _ = await ended(api, RunState.FAILED)
    body = {"recipe": MUTE} if path == "runs" else None

    first = await asked(api, f"/v1/videos/{video_id}/{path}", body, key="once")
    second = await asked(api, f"/v1/videos/{video_id}/{path}", body, key="once")

    assert first == second
    told = [one for one in await api.posted() if isinstance(one, VideoRetryRequested | VideoReprocessRequested)]
    assert len(told) == 1
    other = await asked(api, f"/v1/videos/{video_id}/runs", {"recipe": None}, key="once", status=422)
    assert other["code"] == "idempotency.mismatch"


async def test_a_run_that_is_asked_for_can_be_called_off_and_asking_takes_a_cancel_back(api: Api) -> None:
    video_id, _ = await ended(api, RunState.CANCELED)
    async with api.parts.store.transaction() as transaction:
        video = await api.video(video_id)
        await transaction.videos.save(replace(video, cancel_requested_at=utc_now()))

    document = await asked(api, f"/v1/videos/{video_id}/retry")
    assert document["cancel_requested_at"] is None
    document = await asked(api, f"/v1/videos/{video_id}/cancel")
    assert document["cancel_requested_at"] is not None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"recipe": {"steps": [{"step": "trim", "start": "x"}]}}, "/recipe/steps/0/start"),
        ({"recipe": "unheard-of"}, "/recipe"),
        ({"priority": 101}, "/priority"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_bad_request_is_pointed_at(api: Api, body: Document, pointer: str) -> None:
    video_id, _ = await ended(api, RunState.READY)

    problem = await asked(api, f"/v1/videos/{video_id}/runs", body, status=422)

    assert problem["errors"][0]["pointer"] == pointer


async def test_runs_of_a_video_that_is_not_there_are_not_found(api: Api) -> None:
    video_id, run = await ended(api, RunState.READY)
    other, _ = await ended(api, RunState.READY)

    assert (await api.get(f"/v1/videos/{other}/runs/{run.id}", status=404))["code"] == "run.not_found"
    async with api.http.delete(f"/v1/videos/{video_id}"):
        pass
    for path in ("retry", "runs"):
        assert (await asked(api, f"/v1/videos/{video_id}/{path}", {}, status=404))["code"] == "video.not_found"
