"""Videos as a resource."""

from dataclasses import replace

import pytest

from moviola.messages import VideoCancelRequested, VideoDeleteRequested, VideoUploaded
from moviola.video import (
    DEFAULT_TENANT,
    Failure,
    HistoryEntry,
    RunId,
    RunState,
    TaskState,
    VideoId,
    VideoState,
    new_id,
    utc_now,
)
from tests.unit.moviola_api.conftest import CLIP, Api, Document
from tests.unit.moviola_api.samples import a_run, a_task

TRIM = {"steps": [{"step": "trim", "start": 5, "end": 10}]}


async def test_a_list_is_paged_from_the_newest_to_the_oldest(api: Api) -> None:
    made = [(await api.upload(title=str(n)))["id"] for n in range(5)]

    seen, cursor = [], ""
    for _ in range(3):
        page = await api.get(f"/v1/videos?limit=2{cursor}")
        seen += [video["id"] for video in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == made[::-1]
    assert page["next_cursor"] is None


async def test_a_list_is_filtered_by_status_tag_and_text(api: Api) -> None:
    ready = await api.upload(title="Sea", tags="blue")
    queued = await api.upload(title="Sky", tags="blue,air")
    await api.make_ready(ready["id"])

    async def ids(query: str) -> list[str]:
        return [video["id"] for video in (await api.get(f"/v1/videos?{query}"))["data"]]

    assert await ids("status=ready") == [ready["id"]]
    assert await ids("status=queued") == [queued["id"]]
    assert await ids("tag=air") == [queued["id"]]
    assert await ids("tag=blue") == [queued["id"], ready["id"]]
    assert await ids("q=sEA") == [ready["id"]]
    assert await ids("q=nothing") == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=x", "/limit"),
        ("status=great", "/status"),
        ("colour=red", "/colour"),
        ("cursor=x", "/cursor"),
    ],
)
async def test_a_bad_question_is_pointed_at(api: Api, query: str, pointer: str) -> None:
    problem = await api.get(f"/v1/videos?{query}", status=422)

    assert problem["errors"][0]["pointer"] == pointer


async def test_a_running_video_shows_each_step_with_its_pass(api: Api) -> None:
    video = await api.upload()
    run = replace(a_run(VideoId(video["id"])), state=RunState.RENDERING, finished_at=None)
    probe, render = a_task(run, "probe", TaskState.SUCCEEDED), a_task(run, "render", TaskState.RUNNING)
    await api.save_run(run, probe, replace(render, attempt=2, worker="w1"))

    video = await api.get(f"/v1/videos/{video['id']}")

    assert (video["status"], video["state"]) == ("processing", "rendering")
    assert [(step["step"], step["pass"], step["state"], step["attempts"]) for step in video["steps"]] == [
        ("trim", "render", "running", 2),
        ("resize", "render", "running", 2),
        ("watermark", "render", "running", 2),
        ("mute", "render", "running", 2),
        ("thumbnails", "thumbnails", "pending", 0),
    ]
    assert video["progress"] == 0.02
    assert video["plan"]["generations"] == 1
    assert video["original"]["probe"]["duration"] == 60


async def test_a_ready_video_has_files_with_addresses(api: Api) -> None:
    video = await api.upload()
    run = await api.make_ready(video["id"], {"result.mp4": b"result"})

    video = await api.get(f"/v1/videos/{video['id']}")

    assert (video["status"], video["state"], video["progress"], video["failure"]) == ("ready", "ready", 1, None)
    assert [file["name"] for file in video["files"]] == ["result.mp4"]
    assert video["files"][0]["url"] == f"/v1/videos/{video['id']}/files/result.mp4"
    assert video["last_run"]["id"] == run.id


async def test_a_failed_video_says_why(api: Api) -> None:
    video = await api.upload()
    failure = Failure(code="media.truncated", step="probe", message="The file ends too early.")
    await api.save_run(replace(a_run(VideoId(video["id"])), state=RunState.FAILED, failure=failure, plan=None))

    video = await api.get(f"/v1/videos/{video['id']}")

    assert video["status"] == "failed"
    assert video["failure"] == {"code": "media.truncated", "step": "probe", "message": "The file ends too early."}


async def test_a_failed_reprocessing_leaves_a_ready_video_ready(api: Api) -> None:
    video = await api.upload()
    await api.make_ready(video["id"], {"result.mp4": b"result"})
    failure = Failure(code="worker.crashed", step="render", message="It crashed.")
    again = replace(a_run(VideoId(video["id"])), number=2, state=RunState.FAILED, failure=failure)
    await api.save_run(again)

    video = await api.get(f"/v1/videos/{video['id']}")

    assert (video["status"], video["state"], video["failure"], len(video["files"])) == ("ready", "ready", None, 1)
    assert video["last_run"]["failure"]["code"] == "worker.crashed"


@pytest.mark.parametrize(
    "address", ["x", "01900000-0000-7000-8000-000000000000", "00000000-0000-0000-0000-00000000000g"]
)
async def test_a_video_that_is_not_there_is_not_found(api: Api, address: str) -> None:
    for path in ("", "/history", "/events", "/files/original", f"/runs/{new_id()}/files/result.mp4"):
        assert (await api.get(f"/v1/videos/{address}{path}", status=404))["code"] == "video.not_found"


async def test_title_tags_and_metadata_can_be_changed(api: Api) -> None:
    video = await api.upload(title="old", tags="a")

    async with api.http.patch(f"/v1/videos/{video['id']}", json={"title": "new", "metadata": {"k": "v"}}) as answer:
        changed = await answer.json()

    assert answer.status == 200
    assert (changed["title"], changed["tags"], changed["metadata"]) == ("new", ["a"], {"k": "v"})
    assert (await api.get(f"/v1/videos/{video['id']}"))["title"] == "new"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ('{"title": 5}', 422, "/title"),
        ('{"status": "ready"}', 422, "/status"),
        ('{"tags": [""]}', 422, "/tags/0"),
        ("[]", 422, ""),
        ('{"title": "a", "title": "b"}', 400, ""),
    ],
)
async def test_a_bad_change_is_pointed_at(api: Api, body: str, status: int, pointer: str) -> None:
    video = await api.upload()

    async with api.http.patch(
        f"/v1/videos/{video['id']}", data=body, headers={"Content-Type": "application/json"}
    ) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["errors"][0]["pointer"]) == (status, pointer)


async def test_a_deleted_video_is_gone_everywhere_and_leaves_nothing_personal(api: Api) -> None:
    video = await api.upload(title="Private", tags="me", metadata='{"name": "Ana"}')

    async with api.http.delete(f"/v1/videos/{video['id']}") as answer:
        assert answer.status == 204

    path = f"/v1/videos/{video['id']}"
    for address in ("", "/history", "/events", "/files/original"):
        await api.get(path + address, status=404)
    for method, address in (("DELETE", path), ("PATCH", path), ("POST", f"{path}/cancel"), ("POST", f"{path}/plan")):
        async with api.http.request(method, address, json={}) as answer:
            assert answer.status == 404
    assert (await api.get("/v1/videos"))["data"] == []
    kept = await api.video(video["id"])
    assert kept.state is VideoState.DELETED
    assert (kept.title, kept.filename, kept.tags, dict(kept.metadata), kept.recipe) == ("", "", (), {}, None)
    assert await api.posted() == [
        VideoUploaded(video_id=video["id"], tenant=DEFAULT_TENANT),
        VideoDeleteRequested(video_id=video["id"], tenant=DEFAULT_TENANT),
    ]


async def test_a_cancel_is_asked_for_by_event(api: Api) -> None:
    video = await api.upload()

    async with api.http.post(f"/v1/videos/{video['id']}/cancel") as answer:
        assert answer.status == 202
        assert (await answer.json())["cancel_requested_at"] is not None

    assert (await api.posted())[-1] == VideoCancelRequested(video_id=video["id"], tenant=DEFAULT_TENANT)


async def test_a_finished_video_can_not_be_canceled(api: Api) -> None:
    video = await api.upload()
    await api.make_ready(video["id"])

    async with api.http.post(f"/v1/videos/{video['id']}/cancel") as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (409, "video.finished")
    assert len(await api.posted()) == 1


async def test_the_history_is_told_in_order(api: Api) -> None:
    video = await api.upload()
    entries = [an_entry(video["id"], RunState.PROBING), an_entry(video["id"], RunState.RENDERING)]
    async with api.parts.store.transaction() as transaction:
        await transaction.history.append(entries)

    history = await api.get(f"/v1/videos/{video['id']}/history")

    assert [(entry["id"], entry["state"]) for entry in history["data"]] == [
        (entries[0].id, "probing"),
        (entries[1].id, "rendering"),
    ]


async def plan(api: Api, video: Document, body: Document) -> tuple[int, Document]:
    async with api.http.post(f"/v1/videos/{video['id']}/plan", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_plan_tells_what_a_recipe_would_cost_and_starts_nothing(api: Api) -> None:
    video = await api.upload()
    await api.make_ready(video["id"])

    assert (await plan(api, video, {"recipe": TRIM}))[1]["generations"] == 1
    assert (await plan(api, video, {"recipe": None}))[1]["passes"] == 0
    status, own = await plan(api, video, {})

    assert (status, own["passes"], own["generations"]) == (200, 3, 1)
    assert len(await api.posted()) == 1


async def test_a_plan_is_refused_where_the_recipe_does_not_fit_or_the_facts_are_unknown(api: Api) -> None:
    video = await api.upload()
    assert (await plan(api, video, {}))[1]["code"] == "video.not_probed"
    await api.make_ready(video["id"])

    status, problem = await plan(api, video, {"recipe": {"steps": [{"step": "trim", "start": 61}]}})

    assert (status, problem["code"]) == (422, "recipe.start_beyond_end")
    assert problem["errors"][0]["pointer"] == "/recipe/steps/0/start"


def an_entry(video_id: str, state: RunState) -> HistoryEntry:
    return HistoryEntry(
        id=new_id(),
        video_id=VideoId(video_id),
        run_id=RunId(new_id()),
        tenant=DEFAULT_TENANT,
        at=utc_now(),
        subject="run",
        previous=None,
        state=state,
        event="x",
        cause="because",
    )


async def test_the_original_is_the_file_that_was_sent(api: Api) -> None:
    video = await api.upload()

    async with api.http.get(video["original"]["url"]) as answer:
        assert await answer.read() == CLIP
