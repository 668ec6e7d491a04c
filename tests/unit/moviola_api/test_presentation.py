"""What is shown of a step that several passes make up."""

from dataclasses import replace

import pytest

from moviola.planner import compile_plan
from moviola.recipe import parse_recipe
from moviola.video import DEFAULT_TENANT, RunState, TaskState, Video, VideoId, VideoState, new_id, utc_now
from moviola_api.lookup import Sight
from moviola_api.presentation import video_document
from tests.unit.moviola_api.samples import a_probe, a_run, a_task

STILLS = parse_recipe({"steps": [{"step": "thumbnails", "storyboard": True, "preview": True}]})
DONE, RUNNING, PENDING = TaskState.SUCCEEDED, TaskState.RUNNING, TaskState.PENDING


@pytest.mark.parametrize(
    ("states", "state", "told"),
    [
        ((PENDING, PENDING, PENDING), PENDING, "thumbnails"),
        ((DONE, RUNNING, DONE), RUNNING, "thumbnails-storyboard"),
        ((DONE, DONE, TaskState.FAILED), TaskState.FAILED, "thumbnails-preview"),
        ((DONE, DONE, DONE), DONE, "thumbnails-preview"),
    ],
)
def test_a_step_is_done_only_when_all_its_passes_are(
    states: tuple[TaskState, ...], state: TaskState, told: str
) -> None:
    run = replace(a_run(), recipe=STILLS, plan=compile_plan(STILLS, a_probe()), state=RunState.THUMBNAILING)
    assert run.plan is not None
    tasks = [a_task(run, one.name, state) for one, state in zip(run.plan.passes, states, strict=True)]
    now = utc_now()
    video = Video(
        id=VideoId(new_id()),
        tenant=DEFAULT_TENANT,
        state=VideoState.UPLOADED,
        title="",
        filename="a.mp4",
        content_type="video/mp4",
        object_key="k",
        recipe=STILLS,
        created_at=now,
        updated_at=now,
    )

    (step,) = video_document(Sight(video, run, None, tasks), {}).steps

    assert (step.step, step.state, step.pass_) == ("thumbnails", state, told)
