"""The life of a task, from the message to the event that ends it."""

import asyncio
import hashlib
import os
import signal
from datetime import timedelta
from itertools import pairwise

import pytest
import stamina

from moviola.messages import CancelTasks, Limits, RestWorker, TaskHeartbeat, TaskProgress
from moviola.ports.message_bus import Envelope, Posting, post
from moviola.topology import DEAD, TASKS, Address, task_queue
from moviola.video import utc_now
from tests.unit.moviola_workers_service.workbench import appears, open_bench, open_worker

CHATTER = ("task.progress", "task.heartbeat")


async def running(bench, tmp_path, **details):
    """A task that goes on until the file that is returned last is there, and the process id of its child."""
    ready, until = tmp_path / "ready", tmp_path / "until"
    command = await bench.send(await bench.task(f"go_on {ready} {until}", **details))
    return command, int(await appears(ready)), until


async def test_task_goes_from_its_message_to_a_stored_result(bench):
    command = await bench.send(await bench.task("copy", files=("result.mp4",), attempt=3))
    done = await bench.end_of(command)
    assert bench.of(command, *CHATTER) == ["task.started", "task.succeeded"]
    (output,) = done.outputs
    assert output.key == f"{command.output_prefix}3-{done.nonce}/result.mp4"
    assert await bench.content(output.key) == b"made of: copy"
    assert (output.size, output.sha256) == (13, hashlib.sha256(b"made of: copy").hexdigest())
    assert (output.name, output.content_type) == ("result.mp4", "video/mp4")
    assert await bench.bus.depth(task_queue("render")) == 0
    assert bench.scratch() == []


async def test_message_is_acknowledged_once_the_task_is_claimed_and_before_it_is_done(bench, tmp_path):
    decided_at_claim = []

    async def look(type_name):
        if type_name == "task.started":
            decided_at_claim.extend(bench.bus.decided)

    bench.bus.after = look
    command, _, until = await running(bench, tmp_path)
    assert (decided_at_claim, bench.bus.decided) == ([], ["ack"])
    until.touch()
    assert (await bench.end_of(command)).type == "task.succeeded"
    assert bench.bus.decided == ["ack"]


async def test_pass_in_the_middle_of_a_chain_stores_its_one_file(bench):
    command = await bench.send(await bench.task("copy", files=()))
    assert [output.name for output in (await bench.end_of(command)).outputs] == ["result.mp4"]


async def test_probe_answers_with_facts_and_the_digest_of_an_unknown_source(bench):
    command = await bench.send(await bench.task("copy", kind="probe"))
    done = await bench.end_of(command)
    assert done.probe.video.codec == "h264"
    assert done.outputs == ()
    assert done.source_sha256 == hashlib.sha256(b"copy").hexdigest()


async def test_resources_are_there_under_their_names(bench):
    other = await bench.task("the image")
    command = await bench.task("copy", resources={"../../logo": other.source})
    assert (await bench.end_of(await bench.send(command))).type == "task.succeeded"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"key": "originals/nowhere"}, "storage.input_missing"),
        ({"etag": "another"}, "storage.input_changed"),
        ({"etag": None, "sha256": "0" * 64}, "storage.input_changed"),
    ],
)
async def test_source_that_is_not_the_pinned_one_fails_for_good(bench, source, code):
    command = await bench.task("copy")
    command = command.model_copy(update={"source": command.source.model_copy(update=source)})
    failed = await bench.end_of(await bench.send(command))
    assert (failed.code, failed.permanent, failed.crashed) == (code, True, False)
    assert bench.scratch() == []


async def test_failure_of_the_step_is_told_as_it_is(bench):
    failed = await bench.end_of(await bench.send(await bench.task("refuse")))
    assert (failed.code, failed.permanent, failed.message) == ("media.not_video", True, "This is not a video.")


@pytest.mark.parametrize(("wish", "says"), [("segfault", "SIGSEGV"), ("raise_a_bug", "status 1")])
async def test_crash_of_the_child_is_told_and_the_next_task_runs(bench, wish, says):
    failed = await bench.end_of(await bench.send(await bench.task(wish)))
    assert (failed.code, failed.permanent, failed.crashed) == ("worker.crashed", False, True)
    assert says in failed.message
    assert bench.scratch() == []
    assert (await bench.end_of(await bench.send(await bench.task("copy")))).type == "task.succeeded"


async def test_child_killed_from_outside_is_a_crash(bench, tmp_path):
    command, pid, _ = await running(bench, tmp_path)
    os.kill(pid, signal.SIGKILL)
    failed = await bench.end_of(command)
    assert (failed.crashed, "SIGKILL" in failed.message) == (True, True)


async def test_task_that_does_not_move_is_stalled(bench):
    limits = Limits(stall_seconds=0.3)
    failed = await bench.end_of(await bench.send(await bench.task("hang", limits=limits)))
    assert (failed.code, failed.permanent) == ("worker.stalled", False)
    assert bench.scratch() == []


async def test_task_that_moves_is_not_stalled_however_long_it_takes(bench, tmp_path):
    command, _, until = await running(bench, tmp_path, limits=Limits(stall_seconds=0.4))
    for _ in range(8):
        bench.said.clear()
        await bench.hear(lambda message: message.type == "task.heartbeat")
    until.touch()
    assert (await bench.end_of(command)).type == "task.succeeded"


async def test_task_beyond_its_deadline_fails_for_good(bench):
    deadline = utc_now() + timedelta(seconds=0.3)
    failed = await bench.end_of(await bench.send(await bench.task("hang", deadline=deadline)))
    assert (failed.code, failed.permanent) == ("worker.deadline", True)


async def test_heartbeat_is_given_only_while_the_task_moves(bench, tmp_path):
    command = await bench.send(await bench.task(f"hang {tmp_path / 'ready'}", limits=Limits(stall_seconds=1.0)))
    await bench.end_of(command)
    # One second at ten beats a second: what moved was the source, the start of the work and one report.
    assert 1 <= bench.of(command).count("task.heartbeat") <= 3


async def test_heartbeat_that_was_refused_is_given_again_without_a_move(bench, tmp_path):
    bench.bus.refuses = lambda kind: kind == "task.heartbeat" and bench.bus.refused.count(kind) < 4
    command = await bench.send(await bench.task(f"hang {tmp_path / 'ready'}", limits=Limits(stall_seconds=2.0)))
    await bench.hear(lambda message: isinstance(message, TaskHeartbeat))
    assert bench.bus.refused.count("task.heartbeat") == 4
    await bench.bus.publish([post(CancelTasks(task_ids=(command.task_id,)))])
    await bench.end_of(command)


async def test_progress_never_goes_back_and_has_an_eta(bench, tmp_path):
    command, _, until = await running(bench, tmp_path)
    await bench.hear(lambda message: isinstance(message, TaskProgress) and message.eta_seconds is not None)
    until.touch()
    await bench.end_of(command)
    shown = [message.progress for message in bench.said if isinstance(message, TaskProgress)]
    assert len(shown) > 3
    assert all(before <= after for before, after in pairwise(shown))


async def test_progress_is_told_where_it_stands_still(bench, tmp_path):
    command = await bench.send(await bench.task(f"hang {tmp_path / 'ready'}"))
    still = []
    await bench.hear(lambda message: (isinstance(message, TaskProgress) and still.append(message)) or len(still) > 4)
    assert len({message.progress for message in still[1:]}) == 1
    await bench.bus.publish([post(CancelTasks(task_ids=(command.task_id,)))])
    await bench.end_of(command)


async def test_cancel_kills_the_child_within_two_seconds(bench, tmp_path):
    command, pid, _ = await running(bench, tmp_path)
    await bench.bus.publish([post(CancelTasks(task_ids=("another", command.task_id)))])
    assert (await bench.end_of(command, seconds=2)).type == "task.canceled"
    assert not os.path.exists(f"/proc/{pid}")
    assert bench.scratch() == []


async def test_one_cancel_ends_the_children_of_all_the_tasks_of_a_run(tmp_path):
    async with open_worker(tmp_path / "worker", worker_capacity=3) as bench:  # a place is kept for short ones
        tasks = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            tasks.append(await running(bench, tmp_path / name))
        await bench.bus.publish([post(CancelTasks(task_ids=tuple(command.task_id for command, _, _ in tasks)))])
        for command, pid, _ in tasks:
            assert (await bench.end_of(command)).type == "task.canceled"
            assert not os.path.exists(f"/proc/{pid}")
        assert bench.scratch() == []


async def test_cancel_spares_the_nonce_that_it_excepts(bench, tmp_path):
    command, _, until = await running(bench, tmp_path)
    nonce = (await bench.hear(lambda message: message.type == "task.started")).nonce
    await bench.bus.publish([post(CancelTasks(task_ids=(command.task_id,), except_nonce=nonce))])
    await bench.bus.publish([post(CancelTasks(task_ids=("another",)))])
    until.touch()
    assert (await bench.end_of(command)).type == "task.succeeded"


async def test_cancel_that_answers_the_claim_is_not_missed(bench):
    command = await bench.task("hang")

    async def answer(type_name):
        """Tell the worker, before it hears that its claim was confirmed, that somebody else has the task."""
        if type_name == "task.started":
            await bench.bus.bus.publish([post(CancelTasks(task_ids=(command.task_id,), except_nonce="the owner's"))])
            for _ in range(10):
                await asyncio.sleep(0)  # so that the hint is heard first

    bench.bus.after = answer
    assert (await bench.end_of(await bench.send(command))).type == "task.canceled"


async def test_end_is_told_until_the_bus_confirms_it(bench):
    bench.bus.refuses = lambda kind: kind == "task.succeeded" and bench.bus.refused.count(kind) < 3
    command = await bench.send(await bench.task("copy"))
    assert (await bench.end_of(command)).type == "task.succeeded"
    assert bench.bus.refused.count("task.succeeded") == 3
    assert bench.of(command, *CHATTER) == ["task.started", "task.succeeded"]


async def test_task_whose_claim_was_not_confirmed_goes_back_and_is_not_run(bench):
    bench.bus.refuses = lambda kind: kind == "task.started" and bench.bus.refused.count(kind) < 1
    command = await bench.send(await bench.task("copy"))
    assert (await bench.end_of(command)).type == "task.succeeded"
    assert bench.bus.refused == ["task.started"]
    assert bench.bus.decided == ["release", "ack"]
    assert len(await outputs(bench, command)) == 1


async def outputs(bench, command):
    return [one async for one in bench.storage.list(command.output_prefix)]


@pytest.mark.parametrize(
    ("type_name", "body"),
    [
        ("task.render", b"no JSON"),
        ("task.render", b'{"v": 2}'),
        ("task.unheard_of", b"{}"),
        ("worker.alive", b'{"worker":"w","kinds":[],"version":"1","capacity":1}'),
    ],
)
async def test_message_that_is_no_task_goes_to_the_dead_letters_and_others_run(bench, type_name, body):
    poison = Posting(Address(TASKS, "render"), Envelope(id="poison", type=type_name, body=body))
    await bench.bus.publish([poison])
    assert (await bench.end_of(await bench.send(await bench.task("copy")))).type == "task.succeeded"
    assert await bench.bus.depth(DEAD) == 1


@pytest.mark.parametrize(
    "wish", ["make_a_link {0}", "make_a_pipe", "make_a_second_name {0}", "point_outside {0}", "name_it ../up.mp4"]
)
async def test_child_cannot_publish_what_it_has_not_made(bench, tmp_path, wish):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    failed = await bench.end_of(await bench.send(await bench.task(wish.format(secret))))
    assert failed.code == "worker.wrong_result"
    assert await outputs(bench, await bench.task("copy")) == []


async def test_files_that_are_too_large_together_end_the_task_while_it_runs(bench):
    limits = Limits(max_bytes=1 << 20)
    failed = await bench.end_of(await bench.send(await bench.task("write_many", limits=limits)), seconds=60)
    assert (failed.code, failed.permanent) == ("worker.output_too_large", True)
    assert bench.scratch() == []


async def test_result_without_the_file_that_was_asked_for_fails(bench):
    failed = await bench.end_of(await bench.send(await bench.task("name_it other.mp4", files=("result.mp4",))))
    assert failed.code == "worker.wrong_result"
    assert await outputs(bench, await bench.task("copy")) == []


async def test_scratch_is_removed_also_where_the_child_locked_it(bench):
    assert (await bench.end_of(await bench.send(await bench.task("leave_files")))).type == "task.succeeded"
    assert bench.scratch() == []


async def test_worker_that_stops_lets_its_task_end(tmp_path):
    async with open_worker(tmp_path) as bench:
        command, _, until = await running(bench, tmp_path)
        waiting = await bench.send(await bench.task("copy"))
        bench.stopping.set()
        await bench.hear(lambda message: message.type == "worker.alive" and message.leaving)
        until.touch()
        assert (await bench.end_of(command)).type == "task.succeeded"
    assert bench.of(waiting) == []
    assert await bench.bus.depth(task_queue("render")) == 1


async def test_worker_hands_back_what_does_not_end_while_it_drains(tmp_path):
    async with open_worker(tmp_path, drain_seconds=0.2) as bench:
        command, pid, _ = await running(bench, tmp_path)
        bench.stopping.set()
        assert (await bench.end_of(command)).type == "task.released"
        assert not os.path.exists(f"/proc/{pid}")


async def test_worker_announces_itself_at_once_and_says_when_it_leaves(tmp_path):
    async with open_bench(tmp_path, heartbeat_seconds=60.0, worker_capacity=2) as bench:
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.run_worker(("trim", "resize")))
            hello = await bench.hear(lambda message: message.type == "worker.alive")
            bench.stopping.set()
        await bench.hear(lambda message: message.type == "worker.alive" and message.leaving)
    assert (hello.kinds, hello.capacity, hello.leaving) == (("trim", "resize"), 2, False)
    assert bench.alive()[-1].leaving
    assert {alive.worker for alive in bench.alive()} == {hello.worker}


async def test_worker_runs_as_many_tasks_at_once_as_its_capacity(tmp_path):
    """One place is kept for short ones."""
    async with open_worker(tmp_path, worker_capacity=3) as bench:
        places = [tmp_path / "one", tmp_path / "two"]
        for place in places:
            place.mkdir()
        tasks = [await running(bench, place) for place in places]
        for command, _, until in tasks:
            until.touch()
            assert (await bench.end_of(command)).type == "task.succeeded"


async def test_short_task_does_not_wait_for_long_ones_that_came_before(tmp_path):
    async with open_worker(tmp_path, worker_capacity=2) as bench:
        encode, _, until = await running(bench, tmp_path)
        waiting = await bench.send(await bench.task("copy"))
        probe = await bench.send(await bench.task("copy", kind="probe"))
        assert (await bench.end_of(probe)).type == "task.succeeded"
        assert (bench.of(waiting), bench.of(encode, *CHATTER)) == ([], ["task.started"])
        until.touch()
        assert (await bench.end_of(waiting)).type == "task.succeeded"


async def test_worker_that_is_told_to_rest_takes_nothing_until_it_may(tmp_path):
    async with open_worker(tmp_path) as bench:
        name = (await bench.hear(lambda message: message.type == "worker.alive")).worker
        command, _, until = await running(bench, tmp_path)
        await bench.bus.publish([post(RestWorker(worker="another", seconds=60))])
        await bench.bus.publish([post(RestWorker(worker=name, seconds=60))])
        waiting = await bench.send(await bench.task("copy"))
        until.touch()
        assert (await bench.end_of(command)).type == "task.succeeded"
        for _ in range(3):  # signs of life that it gives while the task lies there
            said = len(bench.alive())
            await bench.hear(lambda message, said=said: len(bench.alive()) > said)
        assert (bench.of(waiting), await bench.bus.depth(task_queue("render"))) == ([], 1)
        await bench.bus.publish([post(RestWorker(worker=name, seconds=0))])
        assert (await bench.end_of(waiting)).type == "task.succeeded"


async def test_worker_that_waits_for_a_task_heeds_a_rest_and_goes_on_after_it(tmp_path):
    async with open_worker(tmp_path) as bench:
        name = (await bench.hear(lambda message: message.type == "worker.alive")).worker
        await bench.bus.publish([post(RestWorker(worker=name, seconds=0.5))])
        command = await bench.send(await bench.task("copy"))
        assert (await bench.end_of(command)).type == "task.succeeded"


async def test_storage_that_stays_away_fails_the_attempt_but_not_for_good(bench):
    command = await bench.task("copy")
    stamina.set_testing(True, attempts=4)
    try:
        blocked = bench.settings.objects_path() / "outputs"
        blocked.mkdir(exist_ok=True)
        blocked.joinpath(command.task_id).write_text("a file where a directory is needed")
        failed = await bench.end_of(await bench.send(command))
    finally:
        stamina.set_testing(False)
    assert (failed.code, failed.permanent) == ("storage.unavailable", False)
