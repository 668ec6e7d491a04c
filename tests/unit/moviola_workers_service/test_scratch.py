"""Private directories, gone when their task or their worker is."""

import pytest

from moviola.errors import TaskFailure
from moviola_workers.scratch import open_room, open_scratch


async def test_directory_of_a_worker_is_private_and_gone_afterwards(tmp_path):
    async with open_scratch(tmp_path / "scratch", "one") as own, open_room(own, "nonce") as room:
        assert room.work.stat().st_mode & 0o777 == 0o700
        (room.inputs / "source").write_text("a source")
    assert list((tmp_path / "scratch").glob("*")) == [tmp_path / "scratch" / ".lock"]


async def test_room_is_removed_when_the_task_fails(tmp_path):
    async with open_scratch(tmp_path, "one") as own:
        with pytest.raises(ZeroDivisionError):
            async with open_room(own, "nonce"):
                raise ZeroDivisionError
        assert [path.name for path in own.iterdir()] == [".lock"]


async def test_leftovers_of_dead_workers_are_removed_and_living_ones_left_alone(tmp_path):
    (tmp_path / "dead" / "nonce" / "work").mkdir(parents=True)
    (tmp_path / "dead" / ".lock").touch()
    async with (
        open_scratch(tmp_path, "living") as living,
        open_room(living, "nonce") as room,
        open_scratch(tmp_path, "new"),
    ):
        assert room.work.is_dir()
    assert not (tmp_path / "dead").exists()


async def test_links_in_a_room_are_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    async with open_scratch(tmp_path / "scratch", "one") as own, open_room(own, "nonce") as room:
        (room.work / "link").symlink_to(kept)
        room.work.chmod(0)
    assert (kept / "file").exists()
    assert not own.exists()


async def test_room_that_cannot_be_made_fails_the_attempt_but_not_for_good(tmp_path):
    async with open_scratch(tmp_path, "one") as own:
        (own / "nonce").write_text("a file in the way")
        with pytest.raises(TaskFailure) as caught:
            async with open_room(own, "nonce"):
                pass
        assert (caught.value.code, caught.value.permanent) == ("storage.no_space", False)
        (own / "nonce").unlink(missing_ok=True)
