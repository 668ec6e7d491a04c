"""The embedded system as its user starts it: `moviola up` in a directory of its own, spoken to over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class System:
    """A running `moviola up`: its address and the process's id."""

    url: str
    pid: int

    def get(self, path: str) -> dict[str, object]:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            document: dict[str, object] = json.load(answer)
            return document

    def process(
        self, clip: Path, recipe: dict[str, object], logo: Path | None = None
    ) -> tuple[float, dict[str, object]]:
        """Upload with curl, as a user would, wait until the video is ready; seconds from start to ready."""
        form = ["-F", f"file=@{clip};type=video/mp4", "-F", f"recipe={json.dumps(recipe)}"]
        if logo is not None:
            form += ["-F", f"watermark=@{logo};type=image/png"]
        started = time.perf_counter()
        command = ["curl", "--silent", "--show-error", "--fail-with-body", *form, f"{self.url}/v1/videos"]
        video = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        events = ["curl", "--silent", "--no-buffer", f"{self.url}/v1/videos/{video['id']}/events"]
        # The stream of one video ends when the video does.
        subprocess.run(events, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        document = self.get(f"/v1/videos/{video['id']}")
        if document["status"] != "ready":
            raise RuntimeError(f"the video ended {document['status']}: {document['failure']}")
        return seconds, document


@contextmanager
def embedded(folder: Path, **environment: str) -> Iterator[System]:
    """`moviola up` below *folder* on a free port of the loopback, ended on leaving."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    moviola = Path(sys.executable).parent / "moviola"
    log = (folder / "moviola.log").open("wb")
    process = subprocess.Popen(
        [str(moviola), "up", "--port", str(port), "--data-dir", str(folder / "data")],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
    )
    system = System(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait(system, process)
        yield system
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _wait(system: System, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            system.get("/readyz")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"moviola up was not ready within {READY_WITHIN} s; its exit status: {process.poll()}")
