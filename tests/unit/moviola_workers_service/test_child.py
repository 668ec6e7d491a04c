"""The child alone: what it may do, how it answers, and how it dies."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moviola.errors import TaskFailure
from moviola.messages import Limits
from moviola.plan import Edit
from moviola_workers.child_process import Child, ChildCrashed, ChildProgram
from moviola_workers.job import Job
from tests.unit.moviola_workers_service.workbench import HERE, PROGRAM, gone, worker_settings

EDIT = Edit(width=2, height=2, duration=1.0)


def job_in(tmp_path, wish, **details):
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.write_text(wish)
    scratch.mkdir()
    return Job(kind="render", parameters=EDIT, source=source, scratch=scratch, **details)


@pytest.fixture
async def child(tmp_path):
    child = await Child.start(PROGRAM, worker_settings(tmp_path))
    yield child
    await child.end()


async def run(child, tmp_path, wish, **details):
    """What the step made, as bytes."""
    result = await child.run(job_in(tmp_path, wish, **details), lambda done: None)
    return result.made[0].path.read_bytes()


async def test_child_does_its_job_and_tells_how_it_gets_on(child, tmp_path):
    seen = []
    result = await child.run(job_in(tmp_path, "copy"), seen.append)
    assert result.made[0].path.read_bytes() == b"made of: copy"
    assert seen == [0.5]  # the second report came within a tenth of a second


async def test_failure_of_a_step_keeps_its_code_and_whether_it_is_permanent(child, tmp_path):
    with pytest.raises(TaskFailure, match="not a video") as caught:
        await run(child, tmp_path, "refuse")
    assert (caught.value.code, caught.value.permanent) == ("media.not_video", True)
    assert not isinstance(caught.value, ChildCrashed)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("segfault", "SIGSEGV"),
        (f"kill_itself {signal.SIGKILL:d}", "SIGKILL"),
        (f"kill_itself {signal.SIGRTMIN + 3:d}", f"signal {signal.SIGRTMIN + 3}"),
        ("raise_a_bug", "status 1"),
    ],
)
async def test_child_that_dies_without_a_word_crashed_and_the_message_says_how(child, tmp_path, wish, says):
    with pytest.raises(ChildCrashed, match=says) as caught:
        await run(child, tmp_path, wish)
    assert (caught.value.code, caught.value.permanent) == ("worker.crashed", False)


async def test_tail_has_the_traceback_and_can_be_shown_on_a_terminal(child, tmp_path):
    with pytest.raises(ChildCrashed):
        await run(child, tmp_path, "raise_a_bug")
    await child.end()
    assert "ZeroDivisionError: a bug in a step" in child.tail
    assert "\\x1b[31mwhat went before" in child.tail
    assert "\x1b" not in child.tail


async def test_memory_is_limited(tmp_path):
    child = await Child.start(PROGRAM, worker_settings(tmp_path, max_memory_bytes=1 << 30))
    try:
        with pytest.raises(ChildCrashed, match="more memory") as caught:
            await run(child, tmp_path, "take_memory")
        assert caught.value.code == "worker.out_of_memory"
    finally:
        await child.end()


async def test_file_that_grows_beyond_the_limit_fails_for_good(child, tmp_path):
    with pytest.raises(TaskFailure, match="larger") as caught:
        await run(child, tmp_path, "write_too_much", limits=Limits(max_bytes=1 << 20))
    assert (caught.value.code, caught.value.permanent) == ("worker.output_too_large", True)


async def test_garbage_on_standard_output_is_not_taken_for_words(child, tmp_path):
    assert await run(child, tmp_path, "print_garbage") == b"made of: print_garbage"
    assert len(child.tail) > 0


async def test_nonsense_on_the_channel_is_a_crash(child, tmp_path):
    with pytest.raises(ChildCrashed, match="can't be read"):
        await run(child, tmp_path, "say_nonsense")


async def test_sandbox_is_in_force(child, tmp_path):
    limits = Limits(max_bytes=12345678)
    about = json.loads(await run(child, tmp_path, "describe", limits=limits))
    assert about["steps"] == str(HERE / "child_steps.py")
    assert about["environment"] == {}
    assert about["cwd"] == str(tmp_path / "scratch")
    assert about["umask"] == 0o077
    assert about["session"] == about["pid"]
    assert about["nice"] > os.nice(0)
    assert about["core"] == [0, 0]
    assert about["memory"] == [8 << 30, 8 << 30]
    assert about["files"][1] <= 256
    assert about["file_size"] == [12345678, 12345678]
    assert about["no_new_privileges"]
    assert about["death_signal"] == signal.SIGKILL


async def test_child_never_had_the_environment_of_the_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    child = await Child.start(PROGRAM, worker_settings(tmp_path))
    try:
        about = json.loads(await run(child, tmp_path, "describe"))
    finally:
        await child.end()
    assert "SECRET" not in about["environment_at_start"]


async def test_child_has_no_descriptor_of_the_workers(child, tmp_path):
    about = json.loads(await run(child, tmp_path, "describe"))
    # stdin, stdout, stderr, the channel, and the one that lists them
    assert len(about["descriptors"]) == 5


async def test_child_reaches_no_network(child, tmp_path):
    if "no network" in child.sandbox.unavailable:
        pytest.skip(f"no network namespace here: {child.sandbox.unavailable['no network']}")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await run(child, tmp_path, f"connect {port}")).startswith(b"refused")


async def test_every_part_of_the_sandbox_is_either_in_force_or_explained(child):
    assert {"memory limit", "empty environment", "death with the worker"} <= set(child.sandbox.in_force)
    assert all(child.sandbox.unavailable.values())


async def test_child_whose_steps_cannot_be_loaded_does_not_start(tmp_path):
    with pytest.raises(ChildCrashed, match="status 1"):
        await Child.start(ChildProgram("no_such_steps"), worker_settings(tmp_path))


async def test_child_of_another_parent_refuses_to_run():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "moviola_workers.child", "--channel", "1", "--parent", "1"),
        *("--memory-bytes", str(8 << 30), "--cpu-seconds", "60"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said, printed = await process.communicate()
    assert (process.returncode, said) == (1, b"")
    assert b"died before its child" in printed


async def test_end_kills_a_child_that_hangs(child, tmp_path):
    ready = tmp_path / "ready"
    moved = asyncio.Event()
    work = asyncio.create_task(child.run(job_in(tmp_path, f"hang {ready}"), lambda done: moved.set()))
    await moved.wait()
    await child.end()
    with pytest.raises(ChildCrashed, match="SIGKILL"):
        await work
    assert not child.alive


@pytest.mark.parametrize("wish", ["idle", "hang"])
async def test_child_dies_with_the_worker_process(tmp_path, wish):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), str(tmp_path), wish),
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    await gone(pid)


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, "")
from tests.unit.moviola_workers_service.test_child import Child, PROGRAM, job_in, worker_settings

async def main():
    place, wish = Path(sys.argv[1]), sys.argv[2]
    child = await Child.start(PROGRAM, worker_settings(place))
    if wish == "idle":
        print(child.pid, flush=True)
        await asyncio.sleep(60)
    await child.run(job_in(place, wish), lambda done: print(child.pid, flush=True))

asyncio.run(main())
"""
