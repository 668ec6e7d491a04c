"""Signals: a command ends early and cleans up; a service finishes, and a second signal ends it at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import asyncio, pathlib, sys
from moviola_cli import main
from moviola_cli.interrupts import run_interruptible

async def work():
    try:
        print("begun", flush=True)
        await asyncio.sleep(60)
    finally:
        pathlib.Path(sys.argv[1]).touch()

main.app.command("wait")(lambda: run_interruptible(work()))
sys.exit(main.main(["wait"]))
"""
SERVICE = """
import asyncio
from moviola_cli.interrupts import stopping_on_signals

async def serve():
    with stopping_on_signals("Stopping.") as stopping:
        print("begun", flush=True)
        await stopping.wait()
        print("finishing", flush=True)
        await asyncio.sleep(60)

asyncio.run(serve())
"""


def begun(program: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_cleans_up_and_ends_with_130(number: signal.Signals, tmp_path: Path) -> None:
    process = begun(COMMAND, str(tmp_path / "cleaned"))

    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (130, "moviola: interrupted\n")
    assert (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_service_that_is_still_finishing(number: signal.Signals) -> None:
    process = begun(SERVICE)
    assert process.stdout is not None

    process.send_signal(number)
    assert process.stdout.readline() == "finishing\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (130, "Stopping.\n")
