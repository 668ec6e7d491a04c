"""A worker that fails task after task rests: it counts for no window, is told, and goes on after a while."""

from datetime import timedelta

import pytest

from moviola.messages import RestWorker, TaskCommand, TaskFailed, WorkerAlive
from moviola.plan import KINDS
from moviola.settings import Settings
from moviola.video import Worker
from tests.unit.moviola_orchestrator.stage import Stage, result, word

FAILURES, SECONDS = 3, 60.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"quarantine_failures": FAILURES, "quarantine_seconds": SECONDS})


async def a_probe(stage: Stage, nonce: str) -> TaskCommand:
    await stage.upload()
    await stage.quiet()
    return await stage.start("probe", nonce=nonce)


def fault(command: TaskCommand, nonce: str, code: str = "worker.defect", **changes: bool) -> TaskFailed:
    how = {"permanent": False, "crashed": False} | changes
    return word(TaskFailed, command, nonce=nonce, code=code, message="It broke.", **how)


async def fail(stage: Stage, times: int, **how: object) -> None:
    for number in range(times):
        command = await a_probe(stage, f"n{number}")
        await stage.says(fault(command, f"n{number}", **how))  # type: ignore[arg-type]  # the tests' own keywords


async def worker(stage: Stage) -> Worker:
    async with stage.store.snapshot() as view:
        found = await view.workers.get("w1")
    assert found is not None
    return found


def told(stage: Stage) -> list[float]:
    """For how long the worker was told to rest, each time."""
    messages = [posting.envelope.message() for posting in stage.bus.published]
    return [message.seconds for message in messages if isinstance(message, RestWorker) and message.worker == "w1"]


@pytest.mark.parametrize(
    "how", [{}, {"crashed": True, "code": "worker.crashed"}, {"code": "storage.no_space"}], ids=str
)
async def test_failures_in_a_row_have_it_rest_and_it_gets_nothing(stage: Stage, how: dict[str, object]) -> None:
    await fail(stage, FAILURES - 1, **how)
    assert not (await worker(stage)).rests(stage.now)
    await fail(stage, 1, **how)
    assert (await worker(stage)).rests(stage.now)
    assert told(stage) == [SECONDS]
    before = await stage.queued()
    await stage.upload()
    await stage.quiet()
    assert await stage.queued() == before


async def test_after_a_while_it_goes_on_and_one_more_failure_has_it_rest_again(stage: Stage) -> None:
    await fail(stage, FAILURES)
    await stage.pass_time(SECONDS + 1)
    await fail(stage, 1)
    assert told(stage) == [SECONDS, SECONDS]


async def test_a_success_ends_the_rest_and_counts_from_the_start(stage: Stage) -> None:
    good = await a_probe(stage, "good")
    await fail(stage, FAILURES)
    await stage.says(result(good, nonce="good"))
    assert ((await worker(stage)).strikes, (await worker(stage)).resting_until) == (0, None)
    assert told(stage) == [SECONDS, 0]
    await fail(stage, FAILURES - 1)
    assert told(stage) == [SECONDS, 0]


async def test_what_is_no_fault_of_the_workers_does_not_count(stage: Stage) -> None:
    await fail(stage, FAILURES, code="storage.unavailable")
    await fail(stage, FAILURES, code="media.corrupt", permanent=True)
    await fail(stage, FAILURES, code="worker.deadline", permanent=True)
    assert (await worker(stage)).strikes == 0


async def test_one_task_that_kills_every_child_counts_once(stage: Stage) -> None:
    await stage.upload()
    await stage.quiet()
    for number in range(2):
        command = await stage.start("probe", nonce=f"n{number}")
        await stage.says(fault(command, f"n{number}", crashed=True))
        stage.now += timedelta(minutes=10)
        await stage.dispatcher.dispatch_waiting()
        await stage.quiet()
    assert (await worker(stage)).strikes == 1


async def test_a_worker_that_rests_is_reminded_at_every_sign_of_life_and_keeps_its_strikes(stage: Stage) -> None:
    await fail(stage, FAILURES)
    await stage.pass_time(20)
    await stage.says(WorkerAlive(worker="w1", kinds=KINDS, version="1", capacity=1))
    assert told(stage) == [SECONDS, SECONDS - 20]
    assert (await worker(stage)).strikes == FAILURES


async def test_another_worker_has_its_window_still(stage: Stage) -> None:
    await fail(stage, FAILURES)
    await stage.workers(2)
    await stage.upload()
    await stage.quiet()
    command = await stage.start("probe", worker="w2", nonce="other")
    await stage.says(result(command, worker="w2", nonce="other"))
    assert (await worker(stage)).rests(stage.now)
