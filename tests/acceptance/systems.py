"""The two compositions, started as their users start them: child processes that are spoken to over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

MOVIOLA = Path(sys.executable).parent / "moviola"
READY_WITHIN = 60.0
ObjectsOf = Callable[[str], Awaitable[list[str]]]
"""The keys of all objects that lie in the storage for the video of that id."""
QUICK = {
    "MOVIOLA_LEASE_SECONDS": "3",
    "MOVIOLA_HEARTBEAT_SECONDS": "0.5",
    "MOVIOLA_PROGRESS_SECONDS": "0.1",
    "MOVIOLA_SWEEP_SECONDS": "0.5",
    "MOVIOLA_UNCLAIMED_SECONDS": "5",
    "MOVIOLA_WORKER_SILENT_SECONDS": "3",
    "MOVIOLA_LOG_FORMAT": "json",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Deployment:
    """Named processes of one system; ``services`` maps each name to its command line behind ``moviola``."""

    folder: Path
    services: Mapping[str, Sequence[str]]
    environment: Mapping[str, str]
    url: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start those services, or all."""
        for name in names or self.services:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [str(MOVIOLA), *self.services[name]],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env={**os.environ, **QUICK, **self.environment},
                )

    def kill(self, *names: str) -> None:
        """SIGKILL those services, or all, at once."""
        for name in names or tuple(self.running):
            self.running[name].kill()
        for name in names or tuple(self.running):
            self.running.pop(name).wait()

    def stop(self) -> Mapping[str, int]:
        """SIGTERM all; the exit status of each."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: self.running.pop(name).wait(timeout=30) for name in tuple(self.running)}

    async def ready(self) -> None:
        """Wait until the API says that it is ready."""
        async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as http:
            while not await self._answers(http):
                dead = [name for name, process in self.running.items() if process.poll() is not None]
                assert not dead, f"{dead} ended: {self.log(dead[0])}"
                await asyncio.sleep(0.05)

    async def _answers(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    def log(self, name: str) -> str:
        """The end of a service's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]


def embedded(folder: Path, **environment: str) -> Deployment:
    """`moviola up`: everything in one process, below *folder*."""
    port = free_port()
    command = ["up", "--port", str(port), "--data-dir", str(folder / "data")]
    return Deployment(folder, {"up": command}, environment, f"http://127.0.0.1:{port}")


SPECIALITIES = ("probe,thumbnails", "render", "trim,resize", "watermark,mute")


def distributed(folder: Path, servers: Mapping[str, str], **environment: str) -> Deployment:
    """One API, two orchestrators and a worker for each speciality, over the *servers*' URLs."""
    port = free_port()
    services: dict[str, Sequence[str]] = {
        "api": ["api", "--port", str(port)],
        "orchestrator-1": ["orchestrator"],
        "orchestrator-2": ["orchestrator"],
    }
    services |= {f"worker-{steps.partition(',')[0]}": ["worker", "--steps", steps] for steps in SPECIALITIES}
    return Deployment(folder, services, {**servers, **environment}, f"http://127.0.0.1:{port}")
