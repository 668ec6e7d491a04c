"""The two compositions, started as their users start them: child processes that are spoken to over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boto3

MOVIOLA = Path(sys.executable).parent / "moviola"
READY_WITHIN = 180.0
ObjectsOf = Callable[[str], Awaitable[list[str]]]
"""The keys of all objects that lie in the storage for the video of that id."""
QUICK = {
    "MOVIOLA_LEASE_SECONDS": "5",
    "MOVIOLA_HEARTBEAT_SECONDS": "0.5",
    "MOVIOLA_PROGRESS_SECONDS": "0.1",
    "MOVIOLA_SWEEP_SECONDS": "0.5",
    "MOVIOLA_UNCLAIMED_SECONDS": "5",
    "MOVIOLA_WORKER_SILENT_SECONDS": "3",
    "MOVIOLA_LOG_FORMAT": "json",
    "MOVIOLA_WEBHOOK_ALLOW_PRIVATE": "true",
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
    log_began: dict[str, int] = field(default_factory=dict)

    def start(self, *names: str, **environment: str) -> None:
        """Start those services, or all, with more in their environment."""
        for name in names or self.services:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.log_began[name] = log.tell()
                self.running[name] = subprocess.Popen(
                    [str(MOVIOLA), *self.services[name]],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env={**os.environ, **QUICK, **self.environment, **environment},
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
        return {name: self.running.pop(name).wait(timeout=120) for name in tuple(self.running)}

    def wait_ready(self) -> None:
        """Wait until the API says that it is ready."""
        until = time.monotonic() + READY_WITHIN
        while not self._answers():
            dead = [name for name, process in self.running.items() if process.poll() is not None]
            assert not dead, f"{dead} ended: {self.log(dead[0])}"
            assert time.monotonic() < until, f"not ready: { {name: self.log(name) for name in self.running} }"
            time.sleep(0.05)

    def wait_logged(self, words: str, *names: str) -> None:
        """Wait until each of those services has logged *words* since it was started."""
        until = time.monotonic() + READY_WITHIN
        for name in names:
            while words.encode() not in (self.folder / f"{name}.log").read_bytes()[self.log_began[name] :]:
                assert self.running[name].poll() is None, f"{name} ended: {self.log(name)}"
                assert time.monotonic() < until, f"{name} never said {words!r}: {self.log(name)}"
                time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self, name: str) -> str:
        """The end of a service's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]


def embedded(folder: Path, **environment: str) -> Deployment:
    """`moviola up`: everything in one process, below *folder*."""
    port = free_port()
    command = ["up", "--port", str(port), "--data-dir", str(folder / "data")]
    return Deployment(folder, {"up": command}, environment, f"http://127.0.0.1:{port}")


SPECIALITIES = ("probe,thumbnails,verify", "render,package", "trim,resize", "watermark,mute,measure,downmix,normalize")


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


def bucket(environment: Mapping[str, str]):  # type: ignore[no-untyped-def]  # boto3 makes its classes as it runs
    """The bucket that the environment names."""
    return boto3.resource(
        "s3",
        endpoint_url=environment["S3_ENDPOINT"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    ).Bucket(environment["S3_BUCKET"])


def objects_of(system: Deployment) -> ObjectsOf:
    """How to list a video's objects behind the system's back; those of all videos for an empty id."""

    async def local(video_id: str) -> list[str]:
        root = system.folder / "data" / "objects"
        # os.walk passes over what is deleted while it looks.
        files = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
        return [os.path.relpath(path, root) for path in files if video_id in path]

    async def remote(video_id: str) -> list[str]:
        return [item.key for item in bucket(system.environment).objects.all() if video_id in item.key]

    return remote if "S3_ENDPOINT" in system.environment else local
