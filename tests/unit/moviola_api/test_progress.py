"""How far a run is."""

from dataclasses import replace

import pytest

from moviola.messages import TaskProgress, TaskSucceeded, VideoStateChanged
from moviola.plan import Edit, Pass, Plan
from moviola.planner import compile_plan
from moviola.recipe import SHOWCASE
from moviola.video import (
    DEFAULT_TENANT,
    RunId,
    RunState,
    Status,
    TaskId,
    TaskState,
    VideoId,
    new_id,
    utc_now,
)
from moviola_api.progress import Glimpse, LiveProgress, overall, weights
from tests.unit.moviola_api.samples import a_probe, a_run, a_task


def test_the_shares_add_up_to_one_and_the_edit_has_the_most() -> None:
    shares = weights(compile_plan(SHOWCASE, a_probe()))

    assert sum(shares.values()) == pytest.approx(1)
    assert shares == {"probe": 0.02, "thumbnails": 0.03, "verify": 0.03, "render": pytest.approx(0.92)}


def test_what_a_cut_copies_weighs_little() -> None:
    whole = Pass(name="trim", kind="trim", lossy=True, parameters=Edit(width=2, height=2, duration=20))
    smart = whole.model_copy(update={"name": "trim-2", "encoded_seconds": 1.0})

    shares = weights(Plan(passes=(whole, smart), generations=2))

    assert shares["trim-2"] / shares["trim"] == pytest.approx((1.0 + 19 * 0.05) / 20)


def test_before_there_is_a_plan_only_the_probe_counts() -> None:
    run = replace(a_run(), state=RunState.PROBING, plan=None)

    glimpse = overall(run, [a_task(run, "probe", TaskState.RUNNING)], {"probe": Glimpse(0.5)})

    assert glimpse.done == pytest.approx(0.01)


def test_progress_is_weighed_over_the_passes_and_estimates_the_rest() -> None:
    run = replace(a_run(), state=RunState.RENDERING)
    tasks = [a_task(run, "probe", TaskState.SUCCEEDED), a_task(run, "render", TaskState.RUNNING)]

    glimpse = overall(run, tasks, {"render": Glimpse(0.5, eta_seconds=10)})

    assert glimpse.done == pytest.approx(0.02 + 0.92 / 2)
    # 20 s for the 92 % of the edit, and 3 % each for the thumbnails and the verifying at the same pace.
    assert glimpse.eta_seconds == pytest.approx(10 + 20 * 0.06 / 0.92)


def test_a_ready_run_is_whole_whatever_was_heard() -> None:
    assert overall(a_run(), [], {}) == Glimpse(1.0, 0.0)


def test_what_is_heard_is_kept_until_the_run_ends() -> None:
    live, run_id = LiveProgress(), RunId(new_id())

    live.hear(progress(run_id, 0.25))
    heard = dict(live.of(run_id))
    live.hear(ended(run_id))

    assert heard == {"render": Glimpse(0.25, 8.0)}
    assert live.of(run_id) == {}


def test_a_pass_that_succeeded_counts_as_whole_before_the_database_is_asked() -> None:
    live, run = LiveProgress(), replace(a_run(), state=RunState.RENDERING)
    live.hear(TaskSucceeded(**vars(progress(run.id, 0.2)) | {"outputs": ()}))

    assert overall(run, [a_task(run, "render", TaskState.RUNNING)], live.of(run.id)).done == pytest.approx(0.92)


def test_the_quietest_run_is_forgotten_first() -> None:
    live = LiveProgress(max_runs=2)
    first, second, third = (RunId(new_id()) for _ in range(3))

    for run_id in (first, second, first, third):
        live.hear(progress(run_id, 0.5))

    assert live.of(second) == {}
    assert live.of(first)
    assert live.of(third)


def progress(run_id: RunId, done: float) -> TaskProgress:
    return TaskProgress(
        task_id=TaskId(new_id()),
        run_id=run_id,
        video_id=VideoId(new_id()),
        tenant=DEFAULT_TENANT,
        name="render",
        attempt=1,
        worker="w",
        nonce="n",
        progress=done,
        eta_seconds=8.0,
    )


def ended(run_id: RunId) -> VideoStateChanged:
    return VideoStateChanged(
        video_id=VideoId(new_id()),
        tenant=DEFAULT_TENANT,
        entry_id=new_id(),
        run_id=run_id,
        previous=RunState.RENDERING,
        state=RunState.READY,
        status=Status.READY,
        cause="the last pass succeeded",
        at=utc_now(),
    )
