"""Whose turn it is among waiting tasks: shares by cost, nothing waits for ever, and no slower with ten thousand."""

import random
import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moviola.adapters.video_store import schema
from moviola.adapters.video_store.engines import engines_for
from moviola.adapters.video_store.tasks import _waiting
from moviola.adapters.video_store.turns import NEXT_TURN
from moviola.ports.video_store import Transaction, VideoStore
from moviola.video import KeyId, Run, Task, TaskId, TaskState, Tenant, new_id
from tests.contracts.video_store.records import NOW, a_run, a_task, a_video, at

KEYS = [KeyId("a"), KeyId("b"), KeyId("c")]


@pytest.fixture
async def run(store: VideoStore) -> Run:
    video = a_video()
    run = a_run(video)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(run)
    return run


def tasks(run: Run, key: str | None, *costs: float, **wanted: object) -> list[Task]:
    key_id = KeyId(key) if key is not None else None
    return [a_task(run, id=TaskId(new_id()), key_id=key_id, cost=cost, **wanted) for cost in costs]


async def dispatch_next(tx: Transaction, kind: str = "probe", now: float = 0) -> Task | None:
    """What a dispatcher with one free place does."""
    found = await tx.tasks.waiting([kind], now=at(now), limit=1)
    if not found:
        return None
    await tx.tasks.save([replace(found[0], state=TaskState.DISPATCHED, dispatched_at=at(now))])
    return found[0]


async def order(tx: Transaction, count: int, kind: str = "probe") -> list[str]:
    """Whose tasks are dispatched next."""
    taken = [await dispatch_next(tx, kind) for _ in range(count)]
    return [str(one.key_id or one.tenant) for one in taken if one is not None]


async def test_a_thousand_of_one_key_are_passed_by_the_one_of_another(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, "a", *[1.0] * 1000))
        assert await order(tx, 3) == ["a"] * 3
        await tx.tasks.add(tasks(run, "b", 1.0))
        assert "b" in await order(tx, 2)


async def test_who_is_ahead_is_counted_in_the_order_of_turns(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, "a", *[1.0] * 9))
        (one,) = tasks(run, "b", 2.5)
        await tx.tasks.add([one])
        assert await tx.tasks.ahead(one, now=NOW) == 2
        assert await order(tx, 3) == ["a", "a", "b"]


async def test_keys_share_by_cost_and_not_by_count(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, "a", *[10.0] * 20))
        await tx.tasks.add(tasks(run, "b", *[1.0] * 200))
        served = await order(tx, 110)
    assert served.count("a") == pytest.approx(10, abs=1)


async def test_a_higher_priority_comes_first_and_spoils_nobodys_share_below(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, "a", *[1.0] * 5))
        await tx.tasks.add(tasks(run, "b", *[1.0] * 5, priority=7))
        assert await order(tx, 5) == ["b"] * 5
        await tx.tasks.add(tasks(run, "b", *[1.0] * 5))
        assert sorted(await order(tx, 4)) == ["a", "a", "b", "b"]


async def test_tenants_share_too_and_a_key_means_nothing_in_another_tenant(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, None, *[1.0] * 9, tenant=Tenant("one")))
        await tx.tasks.add(tasks(run, None, *[1.0] * 9, tenant=Tenant("two")))
        assert sorted(await order(tx, 6)) == ["one"] * 3 + ["two"] * 3


async def test_what_was_called_off_before_its_turn_costs_its_key_nothing(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        called_off = tasks(run, "a", *[1.0] * 50)
        await tx.tasks.add(called_off)
        await tx.tasks.add(tasks(run, "b", *[1.0] * 50))
        await tx.tasks.save([replace(task, state=TaskState.CANCELED) for task in called_off])
        assert await order(tx, 5) == ["b"] * 5
        await tx.tasks.add(tasks(run, "a", 1.0))
        assert "a" in await order(tx, 2)


async def test_a_task_that_goes_back_keeps_its_turn(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add(tasks(run, "a", *[1.0] * 9))
        first = await dispatch_next(tx)
        assert first is not None
        await order(tx, 3)
        await tx.tasks.save([replace(first, attempt=2, not_before=NOW)])
        assert (again := await dispatch_next(tx)) is not None
        assert again.id == first.id


async def test_one_task_of_each_of_ever_new_keys_keeps_nobody_waiting_for_ever(store: VideoStore, run: Run) -> None:
    async with store.transaction() as tx:
        large = tasks(run, "large", 20.0)
        await tx.tasks.add(large)
        for number in range(100):
            await tx.tasks.add(tasks(run, f"new-{number}", 1.0))
            if (taken := await dispatch_next(tx)) is not None and taken.id == large[0].id:
                assert number <= 21
                return
    pytest.fail("the large task is passed by for ever")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_arrivals_are_served_in_shares_within_a_bound_and_all_of_them(
    store: VideoStore, run: Run, seed: int
) -> None:
    """While two keys have something waiting, what is done for each differs by no more than a large task of both."""
    chance = random.Random(seed)
    waiting: defaultdict[str, int] = defaultdict(int)
    since: dict[tuple[str, str], tuple[float, float]] = {}
    served: defaultdict[str, float] = defaultdict(float)
    largest, left = 8.0, 150
    async with store.transaction() as tx:
        while left or any(waiting.values()):
            if left and (chance.random() < 0.6 or not any(waiting.values())):
                key = chance.choice(KEYS)
                some = [chance.uniform(0.5, largest) for _ in range(min(left, chance.choice([1, 1, 1, 12])))]
                await tx.tasks.add(tasks(run, key, *some))
                waiting[key] += len(some)
                left -= len(some)
            taken = await dispatch_next(tx)
            assert taken is not None, "something waits, and nothing is dispatched"
            waiting[str(taken.key_id)] -= 1
            served[str(taken.key_id)] += taken.cost
            _check_shares(waiting, served, since, bound=2 * largest)


def _check_shares(
    waiting: dict[str, int], served: dict[str, float], since: dict[tuple[str, str], tuple[float, float]], bound: float
) -> None:
    for one, other in ((a, b) for a in KEYS for b in KEYS if a < b):
        if not (waiting.get(one) and waiting.get(other)):
            since.pop((one, other), None)
            continue
        began = since.setdefault((one, other), (served[one], served[other]))
        ahead = (served[one] - began[0]) - (served[other] - began[1])
        assert abs(ahead) <= bound, f"{one} is ahead of {other} by {ahead}"


async def test_ten_thousand_waiting_tasks_are_found_by_the_index_alone(
    store: VideoStore, run: Run, database_url: str
) -> None:
    async with store.transaction() as tx:
        await tx.tasks.add([task for n in range(50) for task in tasks(run, f"k{n}", *[1.0] * 20)])
    engines = engines_for(database_url)
    async with engines.writer.begin() as connection:
        columns = ", ".join(column.name for column in schema.tasks.c if column.name not in ("position", "id"))
        copy = f"INSERT INTO tasks (id, {columns}) SELECT id || :n, {columns} FROM tasks WHERE length(id) = 36"
        for number in range(9):
            await connection.execute(sa.text(copy), {"n": f"-{number}"})
        if connection.dialect.name == "postgresql":
            await connection.execute(sa.text("ANALYZE tasks"))
        choosing = await explained(connection, _waiting(("probe", "render")).params(now=NOW, limit=5))
        usual = {"the_kind": "probe", "the_priority": 0, "the_cost": 1.0, "the_flow": "default/k1"}
        placing = await explained(connection, sa.select(NEXT_TURN).params(usual))
    await engines.dispose()

    assert choosing.count("tasks_waiting_idx") == 2, choosing
    assert {"tasks_served_idx", "tasks_flow_idx"} <= set(re.findall(r"tasks_\w+_idx", placing)), placing
    for plan in (choosing, placing):
        assert not re.search(r"Seq Scan on tasks|SCAN tasks(?! USING INDEX)", plan), plan
    # Each kind's few come from the index in their order; what is sorted is only their merger.
    assert len(re.findall(r"Sort Key|TEMP B-TREE FOR ORDER BY", choosing)) <= 1, choosing
    assert not re.search(r"Sort Key|TEMP B-TREE", placing), placing


async def explained(connection: AsyncConnection, statement: sa.Select[Any]) -> str:
    """How the database would run it, in its own words."""
    literally = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    word = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = await connection.exec_driver_sql(f"{word} {literally}")
    return "\n".join(str(row[-1]) for row in rows)
