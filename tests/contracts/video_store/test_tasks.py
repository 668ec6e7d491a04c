"""Tasks."""

import asyncio
from dataclasses import replace

from moviola.ports.video_store import VideoStore
from moviola.video import Failure, OutputFile, Run, Task, TaskId, TaskState, new_id
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import NOW, a_run, a_task, a_video, at


async def stored_run(store: VideoStore) -> Run:
    video = a_video()
    run = a_run(video)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)
    return run


async def stored(store: VideoStore, *tasks: Task) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks)


def running(run: Run, **wanted: object) -> Task:
    usual: dict[str, object] = {
        "state": TaskState.RUNNING, "worker": "w", "nonce": "n", "lease_until": at(30), "deadline": at(3600),
    }  # fmt: skip
    return a_task(run, **usual | wanted)


async def test_tasks_come_back_as_they_went_in_and_in_the_order_in_which_they_were_added(store: VideoStore) -> None:
    run = await stored_run(store)
    full = a_task(
        run,
        name="render-2",
        kind="render",
        state=TaskState.FAILED,
        attempt=3,
        charged=2,
        crashes=1,
        priority=7,
        not_before=at(1),
        worker="w",
        nonce="n",
        dispatched_at=at(2),
        started_at=at(3),
        lease_until=at(4),
        deadline=at(5),
        finished_at=at(6),
        outputs=(OutputFile(name="result.mp4", key="k", size=1, sha256="s", content_type="video/mp4"),),
        failure=Failure(code="worker.crashed", step="render", message="m"),
    )
    tasks = [full, *(a_task(run, name=f"task-{number}") for number in range(5))]

    await stored(store, *reversed(tasks))

    async with store.snapshot() as tx:
        assert await tx.tasks.of_run(run.id) == list(reversed(tasks))


async def test_nothing_to_add_or_save_is_no_error(store: VideoStore) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add([])
        await tx.tasks.save([])
        assert await tx.tasks.waiting([], now=NOW, limit=5) == []


async def test_saved_tasks_keep_their_places(store: VideoStore) -> None:
    run = await stored_run(store)
    one, two, three = (a_task(run) for _ in range(3))
    await stored(store, one, two, three)
    changed = [
        replace(three, state=TaskState.CANCELED, finished_at=at(1)),
        replace(one, state=TaskState.DISPATCHED, attempt=2, dispatched_at=at(1), not_before=None),
    ]

    async with store.transaction() as tx:
        await tx.tasks.save(changed)

    async with store.snapshot() as tx:
        assert await tx.tasks.of_run(run.id) == [changed[1], two, changed[0]]


async def test_a_lease_is_renewed_by_its_owner_while_it_runs_and_by_nobody_else(store: VideoStore) -> None:
    run = await stored_run(store)
    task = running(run, attempt=2)
    idle = [a_task(run, state=state, attempt=2, nonce="n") for state in TaskState if state is not TaskState.RUNNING]
    await stored(store, task, *idle)

    async with store.transaction() as tx:
        assert not await tx.tasks.renew(task.id, attempt=1, nonce="n", lease_until=at(99))
        assert not await tx.tasks.renew(task.id, attempt=2, nonce="m", lease_until=at(99))
        assert not await tx.tasks.renew(TaskId(new_id()), attempt=2, nonce="n", lease_until=at(99))
        for other in idle:
            assert not await tx.tasks.renew(other.id, attempt=2, nonce="n", lease_until=at(99))
        assert await tx.tasks.of_run(run.id) == [task, *idle]

        assert await tx.tasks.renew(task.id, attempt=2, nonce="n", lease_until=at(60))

    async with store.snapshot() as tx:
        assert await tx.tasks.of_run(run.id) == [replace(task, lease_until=at(60)), *idle]


async def test_a_lease_is_renewed_without_the_runs_lock(store: VideoStore, open_store: Opener) -> None:
    run = await stored_run(store)
    task = running(run)
    await stored(store, task)

    async def renew(opened: VideoStore) -> bool:
        async with opened.transaction() as tx:
            return await tx.tasks.renew(task.id, attempt=1, nonce="n", lease_until=at(60))

    async with open_store() as another:
        async with store.transaction() as tx:
            await tx.runs.lock(run.id)
            renewing = asyncio.create_task(renew(another))
            await asyncio.wait([renewing], timeout=0.1)
        assert await renewing


async def test_waiting_tasks_come_by_priority_and_then_by_age(store: VideoStore) -> None:
    run = await stored_run(store)
    old = a_task(run, created_at=at(1))
    older = a_task(run, kind="trim", created_at=at(0))
    urgent = a_task(run, kind="trim", priority=5, created_at=at(9))
    low = a_task(run, priority=-1, created_at=at(-9))
    first, second = (a_task(run, created_at=at(2)) for _ in range(2))
    await stored(store, low, old, urgent, older, first, second)

    async with store.snapshot() as tx:
        assert await tx.tasks.waiting(["probe", "trim"], now=NOW, limit=9) == [urgent, older, old, first, second, low]
        assert await tx.tasks.waiting(["probe", "trim"], now=NOW, limit=2) == [urgent, older]
        assert await tx.tasks.waiting({"trim"}, now=NOW, limit=9) == [urgent, older]
        assert await tx.tasks.waiting(["render"], now=NOW, limit=9) == []


async def test_only_pending_tasks_whose_time_has_come_are_waiting(store: VideoStore) -> None:
    run = await stored_run(store)
    ready, due = a_task(run), a_task(run, not_before=NOW)
    held = a_task(run, not_before=at(0.001))
    others = [a_task(run, state=state) for state in TaskState if state is not TaskState.PENDING]
    await stored(store, held, ready, due, *others)

    async with store.snapshot() as tx:
        assert await tx.tasks.waiting(["probe"], now=NOW, limit=9) == [ready, due]
        assert await tx.tasks.waiting(["probe"], now=at(1), limit=9) == [held, ready, due]


async def test_unclaimed_tasks_are_counted_by_kind(store: VideoStore) -> None:
    run = await stored_run(store)
    async with store.snapshot() as tx:
        assert await tx.tasks.unclaimed() == {}
    await stored(
        store,
        *(a_task(run, state=TaskState.DISPATCHED) for _ in range(2)),
        a_task(run, kind="render", state=TaskState.DISPATCHED),
        a_task(run, kind="trim"),
        running(run, kind="mute"),
    )

    async with store.snapshot() as tx:
        assert await tx.tasks.unclaimed() == {"probe": 2, "render": 1}


async def test_overdue_are_lost_leases_passed_deadlines_and_what_nobody_started(store: VideoStore) -> None:
    run = await stored_run(store)
    lost = running(run, lease_until=at(-1))
    late = running(run, deadline=at(-1))
    unclaimed = a_task(run, state=TaskState.DISPATCHED, dispatched_at=at(-61))
    fine = [
        running(run),
        running(run, deadline=None),
        a_task(run, state=TaskState.DISPATCHED, dispatched_at=at(-59), lease_until=at(-1)),
        a_task(run, not_before=at(-99)),
        running(run, state=TaskState.SUCCEEDED, lease_until=at(-1), deadline=at(-1), dispatched_at=at(-99)),
    ]
    await stored(store, lost, *fine, late, unclaimed)

    async with store.transaction() as tx:
        assert await tx.tasks.overdue(now=NOW, dispatched_before=at(-60), limit=9) == [lost, late, unclaimed]
        assert len(await tx.tasks.overdue(now=NOW, dispatched_before=at(-60), limit=2)) == 2


async def test_two_sweepers_at_once_do_not_sweep_the_same_task_twice(store: VideoStore, open_store: Opener) -> None:
    tasks = [running(await stored_run(store), lease_until=at(-1)) for _ in range(6)]
    await stored(store, *tasks)
    swept: list[TaskId] = []

    async def sweep(opened: VideoStore) -> None:
        while True:
            async with opened.transaction() as tx:
                found = await tx.tasks.overdue(now=NOW, dispatched_before=NOW, limit=2)
                for task in found:
                    assert await tx.runs.lock(task.run_id) is not None
                await tx.tasks.save([replace(task, state=TaskState.PENDING) for task in found])
            swept.extend(task.id for task in found)
            if not found:
                return

    async with asyncio.timeout(60), open_store() as another:
        await asyncio.gather(sweep(store), sweep(another), sweep(store))

    assert sorted(swept) == sorted(task.id for task in tasks)


async def test_running_are_all_that_are_dispatched_or_running(store: VideoStore) -> None:
    run = await stored_run(store)
    tasks = [a_task(run, state=state) for state in TaskState]
    await stored(store, *tasks)

    async with store.snapshot() as tx:
        found = await tx.tasks.running()

    assert {task.state for task in found} == {TaskState.DISPATCHED, TaskState.RUNNING}


async def test_ahead_are_those_on_the_bus_and_those_whose_turn_comes_first(store: VideoStore) -> None:
    run = await stored_run(store)
    old, young, twin = a_task(run, created_at=at(0)), a_task(run, created_at=at(5)), a_task(run, created_at=at(5))
    urgent, held = a_task(run, priority=3, created_at=at(9)), a_task(run, not_before=at(100), created_at=at(-9))
    first, second = (a_task(run, state=TaskState.DISPATCHED, dispatched_at=at(t)) for t in (1, 2))
    others = [
        running(run),
        a_task(run, kind="render", created_at=at(-1)),
        a_task(run, kind="render", state=TaskState.DISPATCHED, dispatched_at=at(0)),
    ]
    await stored(store, second, young, twin, old, urgent, held, first, *others)

    async with store.snapshot() as tx:
        assert [await tx.tasks.ahead(task, now=at(10)) for task in (first, second)] == [0, 1]
        # The order is that in which they are dispatched, whatever that is.
        waiting = await tx.tasks.waiting(["probe"], now=at(10), limit=9)
        assert waiting[0] == urgent
        assert {task.id for task in waiting} == {urgent.id, old.id, young.id, twin.id}
        assert [await tx.tasks.ahead(task, now=at(10)) for task in waiting] == [2, 3, 4, 5]
        assert await tx.tasks.ahead(a_task(run), now=NOW) == 0
