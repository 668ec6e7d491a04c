"""Events of one key wait for each other, and for nobody else's."""

import asyncio

from moviola_orchestrator.in_order import InOrder


async def test_items_of_one_key_are_handled_one_after_the_other_and_others_meanwhile() -> None:
    handled: list[str] = []
    gate = asyncio.Event()
    second_was_free = asyncio.Event()

    async def handle(item: str) -> None:
        if item == "a1":
            await gate.wait()
        handled.append(item)
        if item == "b1":
            second_was_free.set()

    async with asyncio.TaskGroup() as group:
        order = InOrder(group, handle)
        for item in ("a1", "a2", "b1", "a3"):
            order.put(item[0], item)
        await second_was_free.wait()
        assert handled == ["b1"]
        gate.set()
    assert handled == ["b1", "a1", "a2", "a3"]


async def test_a_key_can_come_again_after_its_items_are_done() -> None:
    handled: asyncio.Queue[int] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        order = InOrder(group, handled.put)
        order.put("a", 1)
        assert await handled.get() == 1
        await asyncio.sleep(0)
        order.put("a", 2)
        assert await handled.get() == 2
