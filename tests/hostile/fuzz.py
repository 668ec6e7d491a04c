"""Small videos with flipped bits, through the child that a worker uses: probed, and rendered where that passes.

    python -m tests.hostile.fuzz [--count 1000] [--seconds 600] [--seed 1] [--keep DIRECTORY]

Every mutation ends in success or in a documented code. A child that is killed by a signal is `worker.crashed`, which is
documented too; its input is kept and named. The same seed gives the same bytes.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moviola.messages import Limits
from moviola.plan import Edit
from moviola.recipe import Output
from moviola.settings import Settings
from moviola_workers.child_process import Child, ChildCrashed
from moviola_workers.job import Job
from tests.hostile.ward import SERIES
from tests.media.clips import Clip, Tone, make

BATCH = 50
SIDE_BY_SIDE = 2
# By law an answer comes within ten seconds; of the processor, since machines are busy.
SLOW_SECONDS = 10.0
HANGING_SECONDS = 120.0
FORMS: Mapping[str, Clip] = {
    "mp4": Clip(tone=Tone()),
    "mov": Clip(codec="mjpeg", pixels="yuvj420p", tone=Tone(codec="pcm_s16le", rate=8000, layout="mono")),
    "mkv": Clip(codec="libx265", options=(("preset", "ultrafast"), ("x265-params", "log-level=none"))),
    "ts": Clip(codec="mpeg2video", tone=Tone(codec="mp2")),
    "avi": Clip(codec="mpeg4", tone=Tone(codec="libmp3lame")),
    "webm": Clip(codec="libvpx", tone=Tone(codec="libopus")),
}
EDIT = Edit(output=Output(preset="ultrafast"), width=64, height=48, duration=0.4)
LIMITS = Limits(max_seconds=3600, max_frames=20_000, max_bytes=64 * 1024 * 1024)


@dataclass
class Findings:
    """``codes`` counts the ends (None: success). ``crashed`` were killed by a signal, which is FFmpeg's doing; a child
    that ended by an exception met a defect of ours (``defects``), and of these there should be none, nor of the rest.
    """

    codes: Counter[str | None] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    hanging: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.codes.total()


def seeds(place: Path) -> dict[str, bytes]:
    """Ten frames in each container, with another codec in each."""
    made = {}
    for suffix, clip in FORMS.items():
        small = Clip(**{**vars(clip), "frames": 10, "width": 64, "height": 48})
        made[suffix] = make(place / f"seed.{suffix}", small).read_bytes()
    return made


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bits flipped; now and then a number made extreme, or a piece taken out, doubled or cut off."""
    row = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        # The beginning and the end, where the indexes are, are worth more than the middle.
        reach = chance.choice((len(row), min(len(row), 1024)))
        place = chance.randrange(reach)
        row[place if chance.random() < 0.7 else -1 - place] ^= 1 << chance.randrange(8)
    place, length = chance.randrange(len(row)), chance.randrange(1, 64)
    match chance.randrange(8):
        case 0:
            row[place : place + 4] = chance.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\x80\x00\x00\x00"))
        case 1:
            del row[place : place + length]
        case 2:
            row[place:place] = row[place : place + length]
        case 3 if chance.random() < 0.5:
            del row[place:]
    return bytes(row)


def batches(originals: Mapping[str, bytes], chance: random.Random, count: int) -> Iterator[dict[str, bytes]]:
    names = list(originals)
    for begin in range(0, count, BATCH):
        numbers = range(begin, min(begin + BATCH, count))
        yield {f"{n:06}.{names[n % len(names)]}": mutated(originals[names[n % len(names)]], chance) for n in numbers}


class Fuzz:
    """Puts mutations to children, several at once; what is of interest is kept below *keep*."""

    def __init__(self, place: Path, keep: Path) -> None:
        self.findings = Findings()
        self._place = place
        self._keep = keep
        self._rounds = 0

    async def run(self, seed: int, count: int, seconds: float = float("inf")) -> Findings:
        """At most so many mutations, and no new ones after so many seconds."""
        work = batches(seeds(self._place), random.Random(seed), count)
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(self._worker(work, until))
        return self.findings

    async def _worker(self, work: Iterator[dict[str, bytes]], until: float) -> None:
        for batch in work:
            waiting = batch
            while waiting:
                waiting = await self._round(waiting)
            if time.monotonic() > until:
                return

    async def _round(self, batch: dict[str, bytes]) -> dict[str, bytes]:
        """The batch through one child; returns what it did not come to."""
        self._rounds += 1
        room = self._place / f"round-{self._rounds}"
        room.mkdir()
        paths = {name: room / name for name in batch}
        for name, path in paths.items():
            path.write_bytes(batch[name])
        scratch = room / "scratch"
        scratch.mkdir()
        job = Job(
            kind="render",
            parameters=EDIT,
            source=room,
            resources=paths,
            scratch=scratch,
            limits=LIMITS,
            encoder_threads=1,
        )
        child = await Child.start(SERIES, Settings(data_dir=self._place, max_memory_bytes=2 << 30))
        try:
            death = await self._watched(child, job)
        finally:
            await child.end()
        words = [json.loads(line) for line in (scratch / "said").read_text().splitlines()]
        self._count(words, batch)
        begun = [word["begun"] for word in words if "begun" in word]
        if death is not None and begun:
            self._tell(begun[-1], batch, death)
        return {name: data for name, data in batch.items() if name not in begun}

    async def _watched(self, child: Child, job: Job) -> str | None:
        """How the child died before its time, where it did."""
        task = asyncio.create_task(child.run(job, lambda done: None))
        said, size = job.scratch / "said", -1
        while not (await asyncio.wait((task,), timeout=HANGING_SECONDS))[0]:
            if said.stat().st_size == size:
                await child.end()
                await asyncio.wait((task,))
                return "hangs"
            size = said.stat().st_size
        error = task.exception()
        if isinstance(error, ChildCrashed):
            await child.end()
            return f"{error.code}: {error} {child.tail.strip().rpartition(chr(10))[2]}"
        if error is not None:
            raise error
        return None

    def _count(self, words: list[dict[str, object]], batch: Mapping[str, bytes]) -> None:
        for word in words:
            if "ended" in word:
                self.findings.codes[word["code"]] += 1  # type: ignore[index]  # a code or None, as it was written
                if float(str(word["processor"])) > SLOW_SECONDS:
                    self.findings.slow.append(self._kept(str(word["ended"]), batch))

    def _tell(self, name: str, batch: Mapping[str, bytes], death: str) -> None:
        if death == "hangs":
            self.findings.hanging.append(self._kept(name, batch))
        else:
            self.findings.codes[death.partition(":")[0]] += 1
            ours = "ended with status" in death
            kinds = self.findings.defects if ours else self.findings.crashed
            kinds.append(f"{self._kept(name, batch)} ({death})")

    def _kept(self, name: str, batch: Mapping[str, bytes]) -> str:
        self._keep.mkdir(parents=True, exist_ok=True)
        path = self._keep / name
        path.write_bytes(batch[name])
        return str(path)


def main() -> int:
    """Status 1 where we met a defect of ours, something hung, or was slow beyond the law."""
    parser = argparse.ArgumentParser(prog="tests.hostile.fuzz", description="Flip bits until something gives.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory() as place:
        fuzz = Fuzz(Path(place), options.keep)
        began = time.monotonic()
        found = asyncio.run(fuzz.run(options.seed, options.count, options.seconds))
    sys.stdout.write(f"{found.count} mutations in {time.monotonic() - began:.0f} s\n")
    for code, count in found.codes.most_common():
        sys.stdout.write(f"{count:8} {code or 'processed'}\n")
    for what in ("crashed", "defects", "hanging", "slow"):
        sys.stdout.writelines(f"{what}: {one}\n" for one in getattr(found, what))
    return 1 if found.defects or found.hanging or found.slow else 0


if __name__ == "__main__":
    sys.exit(main())
