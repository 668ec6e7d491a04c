"""The history in pages, what a video was at a past time, and its explanation, over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from moviola.video import DEFAULT_TENANT, HistoryEntry, RunId, RunState, TaskState, VideoId, Worker, new_id, utc_now
from moviola_api.past import run_at
from tests.unit.moviola_api.conftest import Api
from tests.unit.moviola_api.samples import a_run, a_task

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ONE, TWO = RunId(new_id()), RunId(new_id())
# When, in seconds from noon; of which run; and what moved from where to where.
TOLD = (
    (0, ONE, "run", None, "uploaded"),
    (0, ONE, "probe", None, "pending"),
    (1, ONE, "probe", "pending", "dispatched"),
    (2, ONE, "probe", "dispatched", "running"),
    (2, ONE, "run", "uploaded", "probing"),
    (3, ONE, "probe", "running", "pending"),
    (4, ONE, "probe", "pending", "running"),
    (5, ONE, "probe", "running", "succeeded"),
    (5, ONE, "run", "probing", "ready"),
    (9, TWO, "run", None, "uploaded"),
)


def entries(video_id: str = "v1") -> list[HistoryEntry]:
    attempt = {5: 1, 6: 2, 7: 2}
    return [
        HistoryEntry(
            id=new_id(),
            video_id=VideoId(video_id),
            run_id=run,
            tenant=DEFAULT_TENANT,
            at=NOON + timedelta(seconds=when),
            subject=subject,
            previous=previous,
            state=state,
            event="test",
            cause="It is a test.",
            worker="w1" if subject == "probe" and previous else None,
            attempt=attempt.get(number, 1) if subject == "probe" and previous else None,
        )
        for number, (when, run, subject, previous, state) in enumerate(TOLD)
    ]


@pytest.mark.parametrize(
    ("told", "run", "status", "probe"),
    [
        (2, "uploaded", "queued", ("pending", 1, None)),
        (5, "probing", "processing", ("running", 1, "w1")),
        (6, "probing", "processing", ("pending", 2, None)),
        (7, "probing", "processing", ("running", 2, "w1")),
        (9, "ready", "ready", ("succeeded", 2, "w1")),
        (10, "uploaded", "ready", None),
    ],
)
def test_the_past_is_folded_from_the_entries(
    told: int, run: str, status: str, probe: tuple[str, int, str | None] | None
) -> None:
    past = run_at(entries()[:told])

    assert past is not None
    assert (past.state, past.status) == (run, status)
    assert [(task.state, task.attempt, task.worker) for task in past.tasks] == ([probe] if probe else [])


def test_before_the_first_entry_there_is_no_past() -> None:
    assert run_at([]) is None


@pytest.fixture
async def video_id(api: Api) -> str:
    video_id = str((await api.upload())["id"])
    async with api.parts.store.transaction() as transaction:
        await transaction.history.append(entries(video_id))
    return video_id


async def test_the_history_is_told_in_pages(api: Api, video_id: str) -> None:
    seen, cursor = [], ""
    for _ in range(3):
        page = await api.get(f"/v1/videos/{video_id}/history?limit=4{cursor}")
        seen += [(entry["subject"], entry["previous"], entry["state"]) for entry in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == [told[2:] for told in TOLD]
    assert (page["next_cursor"], page["past"]) == (None, None)


async def test_the_history_of_one_run_is_told_alone(api: Api, video_id: str) -> None:
    assert len((await api.get(f"/v1/videos/{video_id}/history?run={TWO}"))["data"]) == 1
    assert (await api.get(f"/v1/videos/{video_id}/history?run={new_id()}"))["data"] == []


async def test_the_history_at_a_time_says_what_the_video_was_then(api: Api, video_id: str) -> None:
    then = await api.get(f"/v1/videos/{video_id}/history?at=2026-01-02T12:00:04Z&limit=2")

    assert then["at"] == "2026-01-02T12:00:04Z"
    assert (then["past"]["state"], then["past"]["status"], then["past"]["since"]) == (
        "probing", "processing", "2026-01-02T12:00:02Z",
    )  # fmt: skip
    assert then["past"]["tasks"][0]["attempt"] == 2
    assert len(then["data"]) == 2
    before = await api.get(f"/v1/videos/{video_id}/history?at=2025-01-01T00:00:00Z")
    assert (before["past"], before["data"]) == (None, [])


@pytest.mark.parametrize("query", ["at=yesterday", "at=2026-01-02T12:00:04", "run=1", "limit=0", "cursor=x", "what=1"])
async def test_a_bad_query_is_refused_with_a_pointer(api: Api, video_id: str, query: str) -> None:
    problem = await api.get(f"/v1/videos/{video_id}/history?{query}", status=422)

    assert problem["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


async def test_a_cursor_of_another_run_is_refused(api: Api, video_id: str) -> None:
    cursor = (await api.get(f"/v1/videos/{video_id}/history?limit=1"))["next_cursor"]

    problem = await api.get(f"/v1/videos/{video_id}/history?limit=1&run={ONE}&cursor={cursor}", status=422)

    assert problem["code"] == "cursor.invalid"


async def test_a_waiting_task_is_explained_by_its_place(api: Api) -> None:
    now = utc_now()
    ids = [(await api.upload())["id"] for _ in range(3)]
    for number, video_id in enumerate(ids):
        run = replace(a_run(video_id), state=RunState.PROBING, finished_at=None)
        task = replace(a_task(run, "probe", TaskState.PENDING), created_at=now + timedelta(seconds=number))
        await api.save_run(run, replace(task, started_at=None))
    async with api.parts.store.transaction() as transaction:
        # Nothing is relayed here; what waits in the outbox would tell of a missing orchestrator.
        await transaction.outbox.sent([one.envelope.id for one in await transaction.outbox.claim(limit=100)])
        for name in ("w1", "w2"):
            worker = Worker(id=name, kinds=("probe",), version="1", capacity=1, seen_at=now)
            await transaction.workers.seen(worker)

    explanations = [await api.get(f"/v1/videos/{video_id}/explain") for video_id in ids]

    assert [one["passes"][0]["position"] for one in explanations] == [1, 2, 3]
    assert explanations[2]["sentence"] == "probe is third in `probe`; two workers alive."
    assert (explanations[2]["reason"], explanations[2]["bus_connected"]) == ("task.waiting", True)
    assert explanations[2]["passes"][0]["pass"] == "probe"


async def test_a_video_that_has_just_come_is_explained(api: Api) -> None:
    video = await api.upload()

    explanation = await api.get(f"/v1/videos/{video['id']}/explain")

    assert (explanation["reason"], explanation["status"], explanation["run_id"]) == ("run.beginning", "queued", None)


async def test_an_unknown_video_is_not_explained(api: Api) -> None:
    assert (await api.get(f"/v1/videos/{new_id()}/explain", status=404))["code"] == "video.not_found"
