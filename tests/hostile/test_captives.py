"""A child that a file has taken over: what it tries, and that nothing comes of it.

The parts of the sandbox that depend on the kernel are looked at where they are in force, and named where they are not.
"""

import os
from pathlib import Path

import pytest

from moviola.messages import Limits
from moviola_workers.sandbox import FENCE
from tests.hostile.ward import CAPTIVE, EDIT, End, Ward

CALLS = "no sockets, processes or other programs"


async def _tried(ward: Ward, tmp_path: Path, wish: str, limits: Limits | None = None) -> dict[str, str]:
    """What each attempt came to: ``did: …`` or the name of an error."""
    lines = (await _end(ward, tmp_path, wish, limits)).file.read_text().splitlines()
    tries = dict(line.split(" = ", 1) for line in lines)
    assert tries
    return tries


async def _end(ward: Ward, tmp_path: Path, wish: str, limits: Limits | None = None) -> End:
    source = tmp_path / "inputs" / "source"
    source.parent.mkdir()
    (source.parent / "other").write_text("another input")
    source.write_text(wish)
    return await ward.run("render", EDIT, source, limits, CAPTIVE)


def _need(ward: Ward, part: str) -> None:
    if part not in ward.sandbox:
        pytest.skip(f"this kernel, or this container, has no {part!r}")


async def test_no_socket_of_any_kind_can_be_opened(ward: Ward, tmp_path: Path) -> None:
    tries = await _tried(ward, tmp_path, "open_sockets")

    _need(ward, CALLS)
    assert len(tries) == 9
    assert set(tries.values()) == {"EPERM"}


async def test_there_is_no_second_process_and_no_other_program(ward: Ward, tmp_path: Path) -> None:
    tries = await _tried(ward, tmp_path, "become_many")

    _need(ward, CALLS)
    assert len(tries) == 103
    assert set(tries.values()) == {"EPERM"}


async def test_twenty_gigabytes_are_not_to_be_had(ward: Ward, tmp_path: Path) -> None:
    assert await _tried(ward, tmp_path, "take_memory") == {"20 GB": "ENOMEM"}


async def test_a_file_ends_at_the_limit(ward: Ward, tmp_path: Path) -> None:
    tries = await _tried(ward, tmp_path, "write_for_ever", Limits(max_bytes=3 << 20))

    assert tries == {"one file": "EFBIG", "its size": str(3 << 20)}


async def test_descriptors_are_few(ward: Ward, tmp_path: Path) -> None:
    assert await _tried(ward, tmp_path, "open_many") == {"descriptors": "EMFILE"}


async def test_a_core_is_not_dumped(ward: Ward, tmp_path: Path) -> None:
    end = await _end(ward, tmp_path, "dump_core")

    assert end.code == "worker.crashed"
    assert "SIGABRT" in end.message
    assert [path.name for path in tmp_path.rglob("*") if path.name.startswith("core")] == []


async def test_files_and_secrets_that_are_not_its_own_cannot_be_read(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    secret = _secret(tmp_path)

    tries = await _tried(ward, tmp_path, f"read_what_is_not_its_own {secret}")

    _need(ward, FENCE)
    assert len(tries) == 10
    assert {what: came for what, came in tries.items() if came != "EACCES"} == {}


async def test_nothing_can_be_left_changed_or_removed_beyond_the_scratch_directory(ward: Ward, tmp_path: Path) -> None:
    secret = _secret(tmp_path)

    tries = await _tried(ward, tmp_path, f"leave_something_elsewhere {secret}")

    _need(ward, FENCE)
    assert len(tries) == 9
    assert {what: came for what, came in tries.items() if came not in ("EACCES", "EXDEV")} == {}
    assert secret.read_text() == "a secret"
    assert list(secret.parent.iterdir()) == [secret]


async def test_other_processes_are_out_of_reach(ward: Ward, tmp_path: Path) -> None:
    tries = await _tried(ward, tmp_path, "touch_other_processes")

    _need(ward, CALLS)
    assert tries["trace"] == "EPERM"
    if _kernel() < (6, 12):
        pytest.skip("signals are fenced off from Linux 6.12 on")
    _need(ward, FENCE)
    assert tries["signal"] == "EPERM"


async def test_namespaces_mounts_and_limits_stay_as_they_are(ward: Ward, tmp_path: Path) -> None:
    tries = await _tried(ward, tmp_path, "change_the_world")

    assert tries["more memory"] == "EPERM"
    _need(ward, CALLS)
    assert set(tries.values()) == {"EPERM"}


def _secret(tmp_path: Path) -> Path:
    secret = tmp_path / "vault" / "secret"
    secret.parent.mkdir()
    secret.write_text("a secret")
    return secret


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
