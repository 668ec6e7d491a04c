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
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from PIL import Image

from moviola_cli.main import main
from moviola_workers.engine.sample import make_sample

MOVIOLA = Path(sys.executable).parent / "moviola"


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running system and all that it printed until it was ready; ended on leaving."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [MOVIOLA, "up", "--port", "0", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        told = ""
        while "Ctrl-C stops it.\n" not in told:
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            told += line
        yield process, told
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_it_prints_settings_and_address_and_stops_on_sigterm(tmp_path: Path) -> None:
    with up(tmp_path, "--data-dir", "data") as (process, told):
        address = re.search(r"^Open (http://127\.0\.0\.1:\d+)$", told, re.MULTILINE)
        assert address is not None
        assert re.search(r"^  data_dir +data +flag$", told, re.MULTILINE)
        assert re.search(r"^  bus_url +memory: +default$", told, re.MULTILINE)
        assert re.search(r"submit data/sample\.mp4 --wait --url http://127\.0\.0\.1:\d+$", told, re.MULTILINE)
        with urllib.request.urlopen(f"{address[1]}/readyz", timeout=10) as answer:
            assert answer.status == 200

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0


def test_a_clip_goes_up_is_watched_and_comes_back(tmp_path: Path) -> None:
    make_sample(tmp_path / "clip.mp4", seconds=1.0)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "logo.png")
    recipe = {
        "steps": [{"step": "resize", "height": 90}, {"step": "watermark", "image": "watermark"}],
        "output": {"preset": "ultrafast"},
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))

    with up(tmp_path) as (_, told):
        environment = {**os.environ, "MOVIOLA_URL": told.split("Open ")[1].split()[0]}

        def moviola(*arguments: str) -> str:
            command = [MOVIOLA, *arguments]
            return subprocess.run(
                command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True, timeout=60
            ).stdout

        given = ("--recipe", "recipe.json", "--watermark", "logo.png", "--title", "Ñandú", "--tag", "a")
        video = json.loads(moviola("submit", "clip.mp4", *given, "--wait", "--json"))
        moviola("download", video["id"], "-o", "back.mp4")
        listed = moviola("list", "--tag", "a", "--status", "ready")

    assert (video["status"], video["title"], video["tags"]) == ("ready", "Ñandú", ["a"])
    assert listed.startswith(video["id"])
    with av.open(tmp_path / "back.mp4") as made:
        assert made.streams.video[0].height == 90


def test_a_second_one_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with up(tmp_path) as (process, _):
        second = subprocess.run(
            [MOVIOLA, "up", "--port", "0"], cwd=tmp_path, capture_output=True, text=True, timeout=30
        )

    assert second.returncode == 2
    assert second.stderr.startswith(f"moviola: Another Moviola (process {process.pid}) runs on .moviola;")
    assert second.stderr.count("\n") == 1


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
