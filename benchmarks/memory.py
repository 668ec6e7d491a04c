"""The memory of the API while 1 GiB goes in and comes out: it must not grow with the size of a file."""

import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.report import Row, Section
from benchmarks.system import System, embedded

SIZE = 1024**3
MIB = 1024**2


class ResidentMemory(threading.Thread):
    """Samples the resident set of one process, in MiB, 20 times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._statm = Path(f"/proc/{pid}/statm")
        self._stop_asked = threading.Event()
        self.samples: list[float] = []

    def now(self) -> float:
        return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    def run(self) -> None:
        while not self._stop_asked.wait(0.05):
            self.samples.append(self.now())

    def finish(self) -> None:
        self._stop_asked.set()
        self.join()


def make_file(path: Path) -> str:
    """1 GiB that no compression shortens; its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // (8 * MIB)):
            block = os.urandom(8 * MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def curl(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run(["curl", "--silent", "--show-error", "--fail", "--output", os.devnull, *arguments], check=True)
    return time.perf_counter() - started


def watched(system: System, *arguments: str) -> tuple[float, float]:
    """Run curl; MiB a second, and by how many MiB the memory rose above where it stood."""
    memory = ResidentMemory(system.pid)
    before = memory.now()
    memory.start()
    seconds = curl(*arguments)
    memory.finish()
    return SIZE / MIB / seconds, max(memory.samples) - before


def measure(folder: Path) -> Section:
    big = folder / "big.bin"
    digest = make_file(big)
    place = folder / "memory"
    place.mkdir()
    with embedded(place) as system:
        # Warm: the first requests load what later ones share.
        small = folder / "small.bin"
        small.write_bytes(big.open("rb").read(8 * MIB))
        curl("-F", f"file=@{small}", "-F", "recipe=null", f"{system.url}/v1/videos")
        up_rate, up_growth = watched(system, "-F", f"file=@{big}", "-F", "recipe=null", f"{system.url}/v1/videos")
        listed = system.get("/v1/videos?limit=1")["data"]
        assert isinstance(listed, list)
        video = listed[0]
        if video["original"]["sha256"] != digest:
            raise RuntimeError("what was stored is not what was sent")
        down_rate, down_growth = watched(system, f"{system.url}/v1/videos/{video['id']}/files/original")
    big.unlink()
    return Section(
        title="Memory while 1 GiB goes in and comes out",
        work=(
            "`curl` uploads 1 GiB of random bytes to the embedded system as multipart form and downloads it again. "
            "The resident memory of the server's process is sampled 20 times a second; it should stay within ± 32 MiB."
        ),
        rows=[
            Row("growth during the upload", [up_growth], "MiB"),
            Row("growth during the download", [down_growth], "MiB"),
            Row("upload", [up_rate], "MiB/s"),
            Row("download", [down_rate], "MiB/s"),
        ],
    )
