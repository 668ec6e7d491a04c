"""Runs behind the first one: a retry does what was not done, another recipe is done anew, the old results stay."""

from dataclasses import replace

import pytest

from moviola.messages import (
    TaskFailed,
    VideoCancelRequested,
    VideoReprocessRequested,
    VideoRetryRequested,
)
from moviola.quality import Check, Quality
from moviola.recipe import SHOWCASE, Mute, Recipe, Resize
from moviola.video import Run, RunId, RunState, TaskState, Video, new_id
from moviola_orchestrator.replay import replay
from tests.unit.moviola_orchestrator.stage import Stage, result, word


@pytest.fixture
async def video(stage: Stage) -> Video:
    video = await stage.upload()
    await stage.quiet()
    return video


async def fail(stage: Stage, kind: str) -> None:
    """The task of that kind, which waits on its queue, fails for good."""
    command = await stage.start(kind)
    await stage.says(word(TaskFailed, command, code="media.corrupt", message="It broke.", permanent=True))


async def asks(stage: Stage, video: Video, recipe: Recipe | None = SHOWCASE, *, retry: bool = False) -> RunId:
    """What the API writes when a client asks for another run; without the doorbell."""
    wanted = RunId(new_id())
    latest = (await stage.run_of(video)).id
    changes = {"wanted_run": wanted, "retry_of": latest if retry else None, "cancel_requested_at": None}
    await stage.change(video, recipe=recipe, **changes)
    return wanted


async def retried(stage: Stage, video: Video) -> Run:
    wanted = await asks(stage, video, retry=True)
    await stage.says(VideoRetryRequested(video_id=video.id, tenant=video.tenant, run_id=wanted))
    run = await stage.run_of(video)
    assert run.id == wanted
    return run


async def test_a_retry_does_only_what_was_not_done(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render")
    rendered = (await stage.tasks_of(video))["render"]
    await fail(stage, "thumbnails")
    first = await stage.run_of(video)
    run = await retried(stage, video)
    assert (first.state, run.number, run.state) == (RunState.FAILED, 2, RunState.THUMBNAILING)
    assert await stage.queued() == {"thumbnails": 1}
    command = await stage.start("thumbnails")
    assert command.source.key == rendered.outputs[0].key
    assert (await stage.tasks_of(video))["render"].outputs == rendered.outputs


async def test_a_retry_ends_ready_with_the_files_of_both_runs_and_the_history_tells(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render")
    await fail(stage, "thumbnails")
    await retried(stage, video)
    await stage.do("thumbnails", "verify")
    run = await stage.run_of(video)
    assert (run.state, [file.name for file in run.files]) == (RunState.READY, ["result.mp4", "poster.jpg"])
    told = [entry for entry in await stage.history_of(video) if entry.run_id == run.id]
    assert told[0].cause == "A retry of run 1 was asked for."
    assert replay(await stage.history_of(video))[run.id].state is RunState.READY
    taken = [(one.subject, one.state) for one in told if one.cause == "The result of run 1 is taken over."]
    assert [one for one in taken if one[1] == "succeeded"] == [("probe", "succeeded"), ("render", "succeeded")]


async def test_a_retry_of_a_run_that_was_canceled_goes_on_where_it_stopped(stage: Stage, video: Video) -> None:
    await stage.do("probe")
    await stage.change(video, cancel_requested_at=stage.now)
    await stage.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    assert (await stage.run_of(video)).state is RunState.CANCELED
    run = await retried(stage, video)
    assert run.state is RunState.RENDERING
    await stage.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    assert (await stage.run_of(video)).state is RunState.RENDERING, "a late word of the first cancel does no harm"


async def test_a_retry_of_a_probe_that_failed_probes_anew(stage: Stage, video: Video) -> None:
    await fail(stage, "probe")
    run = await retried(stage, video)
    assert run.state is RunState.UPLOADED
    await stage.do("probe", "render", "thumbnails", "verify")
    assert (await stage.run_of(video)).state is RunState.READY


async def test_another_recipe_is_done_anew_upon_the_facts_that_are_known(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render", "thumbnails", "verify")
    ready = await stage.run_of(video)
    wanted = await asks(stage, video, Recipe(steps=(Mute(), Resize(height=360))))
    await stage.says(VideoReprocessRequested(video_id=video.id, tenant=video.tenant, run_id=wanted))
    assert await stage.queued() == {"render": 1}
    async with stage.store.snapshot() as view:
        found = await view.videos.get(video.tenant, video.id)
    assert found is not None
    assert found.serving is not None
    assert (found.serving.id, found.latest and found.latest.id) == (ready.id, wanted)
    await stage.do("render", "verify")
    run = await stage.run_of(video)
    assert (run.id, run.state, run.number) == (wanted, RunState.READY, 2)


async def test_the_same_recipe_is_done_anew_too(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render", "thumbnails", "verify")
    wanted = await asks(stage, video)
    await stage.says(VideoReprocessRequested(video_id=video.id, tenant=video.tenant, run_id=wanted))
    assert await stage.queued() == {"render": 1}


async def test_a_recipe_that_does_not_fit_fails_at_once_and_the_old_run_serves_on(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render", "thumbnails", "verify")
    ready = await stage.run_of(video)
    wanted = await asks(stage, video, Recipe.model_validate({"steps": [{"step": "trim", "start": 600}]}))
    await stage.says(VideoReprocessRequested(video_id=video.id, tenant=video.tenant, run_id=wanted))
    run = await stage.run_of(video)
    assert run.failure is not None
    assert (run.state, run.failure.code) == (RunState.FAILED, "recipe.start_beyond_end")
    async with stage.store.snapshot() as view:
        found = await view.videos.get(video.tenant, video.id)
    assert found is not None
    assert found.serving is not None
    assert found.serving.id == ready.id


async def test_a_wish_whose_doorbell_was_lost_or_rings_twice_is_one_run(stage: Stage, video: Video) -> None:
    await fail(stage, "probe")
    wanted = await asks(stage, video, retry=True)
    await stage.sweeper.sweep()
    assert (await stage.run_of(video)).id == wanted
    for _ in range(2):
        await stage.says(VideoRetryRequested(video_id=video.id, tenant=video.tenant, run_id=wanted))
    async with stage.store.snapshot() as view:
        assert [run.number for run in await view.runs.of_video(video.id)] == [1, 2]
        assert await view.videos.without_run(limit=9) == []


async def test_a_wish_that_is_called_off_before_its_run_is_made_ends_canceled(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render", "thumbnails", "verify")
    wanted = await asks(stage, video)
    await stage.change(video, cancel_requested_at=stage.now)
    await stage.says(VideoCancelRequested(video_id=video.id, tenant=video.tenant))
    run = await stage.run_of(video)
    assert (run.id, run.state) == (wanted, RunState.CANCELED)
    assert await stage.queued() == {}


async def test_a_result_that_the_new_plan_makes_otherwise_is_not_taken_over(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render")
    await fail(stage, "thumbnails")
    first = await stage.run_of(video)
    assert first.plan is not None
    other = first.plan.named("render").model_copy(update={"files": ("result.webm",)})
    async with stage.store.transaction() as transaction:  # as an older version would have planned it
        passes = (other, *first.plan.passes[1:])
        await transaction.runs.save(replace(first, plan=first.plan.model_copy(update={"passes": passes})))
    run = await retried(stage, video)
    assert run.state is RunState.RENDERING
    assert await stage.queued() == {"render": 1}
    assert (await stage.tasks_of(video))["probe"].state is TaskState.SUCCEEDED


async def test_a_result_that_did_not_pass_its_checks_is_made_anew(stage: Stage, video: Video) -> None:
    await stage.do("probe", "render", "thumbnails")
    bad = Quality(checks=(Check(name="frames", ok=False, expected="2", found="1", file="result.mp4"),))
    command = await stage.start("verify")
    await stage.says(result(command).model_copy(update={"quality": bad}))
    failed = await stage.run_of(video)
    assert failed.failure is not None
    assert failed.failure.code == "worker.bad_output"
    run = await retried(stage, video)
    assert run.state is RunState.RENDERING
    assert await stage.queued() == {"render": 1}


async def test_a_deleted_video_makes_no_further_run(stage: Stage, video: Video) -> None:
    await fail(stage, "probe")
    await asks(stage, video, retry=True)
    await stage.delete(video)
    await stage.sweeper.sweep()
    async with stage.store.snapshot() as view:
        assert await view.runs.of_video(video.id) == []
