"""What doctor finds, and its status."""

import json
import socket
from pathlib import Path

import pytest

from moviola_cli.main import main

Findings = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOVIOLA_URL", raising=False)


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Findings]:
    status = main(["doctor", "--json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] == (status == 0)
    return status, {one["subject"]: one for one in document["findings"]}


def test_an_installed_embedded_system_lacks_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, found = examined(capsys)

    assert status == 0
    assert {"moviola", "av", "pillow", "font", "cores", "memory", "data", "disk", "sandbox"} <= found.keys()
    assert {"bus", "database", "storage", "cache"} <= found.keys()
    assert "libx264" in found["av"]["detail"]
    assert "missing" not in {one["verdict"] for one in found.values()}
    # Looking leaves nothing behind.
    assert list(tmp_path.iterdir()) == []


def test_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0

    told = capsys.readouterr()
    assert told.err == ""
    assert [line for line in told.out.splitlines() if line.startswith("ok      av ")]


def test_a_server_that_is_away_is_missing_with_the_command_that_starts_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    status, found = examined(capsys, "--url", url)

    assert status == 1
    assert found["server"]["verdict"] == "missing"
    assert "moviola up" in found["server"]["advice"]


def test_a_url_that_means_nothing_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIOLA_BUS_URL", "pigeon://user:hidden@loft")

    status, found = examined(capsys)

    assert status == 1
    assert found["bus"]["verdict"] == "missing"
    assert "amqp://" in found["bus"]["detail"]
    assert "hidden" not in json.dumps(found)


def test_a_data_directory_that_cannot_be_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    status, found = examined(capsys, "--data-dir", "file")

    assert status == 1
    assert "--data-dir" in found["data"]["advice"]


def test_a_database_without_its_schema_says_migrate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / ".moviola").mkdir()
    (tmp_path / ".moviola" / "moviola.db").touch()

    status, found = examined(capsys)
    assert status == 1
    assert "moviola migrate" in found["database"]["advice"]

    assert main(["migrate"]) == 0
    assert "has this version's schema" in capsys.readouterr().out
    assert examined(capsys)[1]["database"]["verdict"] == "ok"


def test_a_broker_that_is_away_is_missing_and_its_driver_is_not_heard(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MOVIOLA_BUS_URL", f"amqp://user:hidden@127.0.0.1:{port}/")
    monkeypatch.setattr("moviola_cli.examination._CHECK_SECONDS", 0.5)

    assert main(["doctor"]) == 1

    told = capsys.readouterr()
    assert told.err == ""
    assert f"missing bus          amqp://127.0.0.1:{port}/: " in told.out
    assert "→ start the server, or correct MOVIOLA_BUS_URL" in told.out
    assert "hidden" not in told.out
