"""`moviola up`: what it prints, what it refuses, how it stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from PIL import Image

from moviola_cli.main import main
from moviola_workers.engine.sample import make_sample

MOVIOLA = Path(sys.executable).parent / "moviola"


@dataclass(frozen=True, slots=True)
class Running:
    """A running system, all that it printed until it was ready, and where it runs."""

    process: subprocess.Popen[str]
    told: str
    folder: Path

    def moviola(self, *arguments: str) -> str:
        """What a command that talks to this system prints."""
        environment = {**os.environ, "MOVIOLA_URL": self.told.split("Open ")[1].split()[0]}
        command = [MOVIOLA, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("up")
    command = [MOVIOLA, "up", "--port", "0", "--data-dir", "data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        told = ""
        while "Ctrl-C stops it.\n" not in told:
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            told += line
        yield Running(process, told, folder)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_it_tells_its_settings_and_the_one_address_to_open(running: Running) -> None:
    address = re.search(r"^Open (http://127\.0\.0\.1:\d+)$", running.told, re.MULTILINE)
    assert address is not None
    assert re.search(r"^  data_dir +data +flag$", running.told, re.MULTILINE)
    assert re.search(r"^  bus_url +memory: +default$", running.told, re.MULTILINE)
    assert f"submit data/sample.mp4 --wait --url {address[1]}\n" in running.told
    with urllib.request.urlopen(f"{address[1]}/readyz", timeout=10) as answer:
        assert answer.status == 200


def test_a_clip_goes_up_is_watched_and_comes_back(running: Running) -> None:
    make_sample(running.folder / "clip.mp4", seconds=1.0)
    Image.new("RGB", (32, 32), "red").save(running.folder / "logo.png")
    recipe = {
        "steps": [{"step": "resize", "height": 90}, {"step": "watermark", "image": "watermark"}],
        "output": {"preset": "ultrafast"},
    }
    (running.folder / "recipe.json").write_text(json.dumps(recipe))

    given = ("--recipe", "recipe.json", "--watermark", "logo.png", "--title", "Ñandú", "--tag", "a")
    video = json.loads(running.moviola("submit", "clip.mp4", *given, "--wait", "--json"))
    running.moviola("download", video["id"], "-o", "back.mp4")

    assert (video["status"], video["title"], video["tags"]) == ("ready", "Ñandú", ["a"])
    assert running.moviola("list", "--tag", "a", "--status", "ready").startswith(video["id"])
    with av.open(running.folder / "back.mp4") as made:
        assert made.streams.video[0].height == 90


def test_a_second_one_on_the_same_directory_is_refused(running: Running) -> None:
    command = [MOVIOLA, "up", "--port", "0", "--data-dir", "data"]
    second = subprocess.run(command, cwd=running.folder, capture_output=True, text=True, timeout=30)

    assert second.returncode == 2
    assert second.stderr.startswith(f"moviola: Another Moviola (process {running.process.pid}) runs on data;")
    assert second.stderr.count("\n") == 1


def test_it_stops_on_sigterm(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(timeout=30) == 0


def test_a_taken_port_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        assert main(["up", "--port", str(taken.getsockname()[1])]) == 2

    assert re.fullmatch(r"moviola: Port \d+ at 127\.0\.0\.1 can't be had: .*--port\.\n", capsys.readouterr().err)


def test_an_address_for_strangers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["up", "--host", "0.0.0.0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("service", [["api"], ["orchestrator"], ["worker", "--steps", "trim"]])
def test_a_service_alone_needs_a_bus_that_others_reach(service: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(service) == 2
    assert "MOVIOLA_BUS_URL" in capsys.readouterr().err


def test_a_worker_for_an_unknown_step_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--steps", "trim,fly"]) == 2
    assert "'fly'" in capsys.readouterr().err
