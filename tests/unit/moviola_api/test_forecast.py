"""What a dry run says of the cache, and what a video says of the steps that came from it."""

from dataclasses import replace

import pytest

from moviola.fingerprint import content_of, fingerprint
from moviola.plan import Pass
from moviola.planner import compile_plan
from moviola.recipe import parse_recipe
from moviola.video import OutputFile, Task, TaskState, Tenant, VideoId, Worker, new_id, utc_now
from tests.unit.moviola_api.conftest import Api
from tests.unit.moviola_api.samples import a_probe, a_run, a_task

ENGINE = "e1"
MADE = (OutputFile(name="result.mp4", key="outputs/x", size=1, sha256="s", content_type="video/mp4"),)


async def works(api: Api, engine: str = ENGINE) -> None:
    async with api.parts.store.transaction() as transaction:
        worker = Worker(
            id=engine, kinds=("render", "thumbnails"), version="1", capacity=1, seen_at=utc_now(), engine=engine
        )
        await transaction.workers.seen(worker)


def done(one: Pass, original: str, made: dict[str, str]) -> Task:
    """A task of a run of nobody's in particular that has done that pass."""
    key = fingerprint(one, original=original, made=made, images={}, engine=ENGINE)
    return replace(a_task(a_run(), one.name, TaskState.SUCCEEDED), result_key=key, outputs=MADE)


async def cached(api: Api, video_id: str) -> list[bool]:
    async with api.http.post(f"/v1/videos/{video_id}/plan", json={}) as answer:
        return [one["cached"] for one in (await answer.json())["plan"]["passes"]]


async def stored(api: Api) -> tuple[str, str, list[Pass]]:
    """A video with its facts: its id, the SHA-256 of its bytes, and the passes of its recipe."""
    video = await api.upload()
    run = await api.make_ready(video["id"])
    assert run.plan is not None
    return video["id"], video["original"]["sha256"], list(run.plan.passes)


async def add(api: Api, task: Task, *, tenant: str = "default") -> None:
    """A video of that tenant whose run has the task."""
    video = await api.video((await api.upload())["id"])
    other = replace(video, id=VideoId(new_id()), tenant=Tenant(tenant))
    run = replace(a_run(other.id), tenant=other.tenant)
    async with api.parts.store.transaction() as transaction:
        await transaction.videos.add(other)
        await transaction.runs.add(run)
        await transaction.tasks.add([replace(task, run_id=run.id, video_id=other.id, tenant=other.tenant)])


async def test_a_plan_says_which_passes_are_done_already_as_far_as_that_is_known(api: Api) -> None:
    video_id, sha256, (render, thumbnails, _) = await stored(api)
    await works(api)
    assert await cached(api, video_id) == [False, False, False]

    # What the poster is cut from is known by what the render has made, and by nothing else.
    await add(api, done(thumbnails, sha256, {"render": content_of(MADE)}))
    assert await cached(api, video_id) == [False, False, False]
    await add(api, done(render, sha256, {}))
    assert await cached(api, video_id) == [True, True, False]


@pytest.mark.parametrize(("tenant", "engine"), [("theirs", ENGINE), ("default", "e2")])
async def test_what_another_tenant_or_engine_has_made_is_not_offered(api: Api, tenant: str, engine: str) -> None:
    video_id, sha256, (render, *_) = await stored(api)
    await works(api, engine)
    await add(api, done(render, sha256, {}), tenant=tenant)
    assert await cached(api, video_id) == [False, False, False]


async def test_a_step_that_came_from_the_cache_says_so_and_had_no_attempt(api: Api) -> None:
    video = await api.upload()
    run = a_run(VideoId(video["id"]))
    own = a_task(run, "thumbnails", TaskState.RUNNING)
    taken = replace(a_task(run, "render", TaskState.SUCCEEDED), started_at=None, result_of=run.id)
    await api.save_run(run, taken, own)

    steps = (await api.get(f"/v1/videos/{video['id']}"))["steps"]

    assert {(step["pass"], step["cached"], step["attempts"]) for step in steps} == {
        ("render", True, 0),
        ("thumbnails", False, 1),
    }


async def test_a_step_of_several_passes_came_from_the_cache_if_all_of_them_did(api: Api) -> None:
    video = await api.upload()
    recipe = parse_recipe({"steps": [{"step": "thumbnails", "preview": True}]})
    run = replace(a_run(VideoId(video["id"])), recipe=recipe, plan=compile_plan(recipe, a_probe()))
    assert run.plan is not None
    one, two = (replace(a_task(run, each.name, TaskState.SUCCEEDED), result_of=run.id) for each in run.plan.passes)
    await api.save_run(run, one, replace(two, result_of=None))
    assert [step["cached"] for step in (await api.get(f"/v1/videos/{video['id']}"))["steps"]] == [False]
    async with api.parts.store.transaction() as transaction:
        await transaction.tasks.save([two])
    assert [step["cached"] for step in (await api.get(f"/v1/videos/{video['id']}"))["steps"]] == [True]


async def test_the_originals_digest_is_told_where_only_the_probe_knows_it(api: Api) -> None:
    video = await api.upload()
    known = await api.video(video["id"])
    async with api.parts.store.transaction() as transaction:
        await transaction.videos.save(replace(known, sha256=None))
    await api.save_run(replace(a_run(known.id), source_sha256="found"))
    assert (await api.get(f"/v1/videos/{video['id']}"))["original"]["sha256"] == "found"
