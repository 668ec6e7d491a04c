"""What the tests of the worker service stand on: steps of their own, short times, a bus that can fail, ears for it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from moviola.adapters.message_bus.in_process import open_in_process
from moviola.adapters.object_storage.local_files import open_local_files
from moviola.errors import BusUnavailable
from moviola.messages import COMMANDS, Message, ObjectRef, TaskCommand, TaskEvent, WorkerAlive
from moviola.plan import Edit, Kind, ReadFacts
from moviola.ports.message_bus import Delivery, Envelope, MessageBus, Posting, post
from moviola.ports.object_storage import ObjectStorage
from moviola.settings import Settings
from moviola.topology import EVENTS
from moviola.video import new_id, utc_now
from moviola_workers.child_process import ChildProgram
from moviola_workers.serve import run_worker

HERE = Path(__file__).parent
# The steps of the tests look around and leave signs beyond the fence of their task.
PROGRAM = ChildProgram("child_steps", (str(HERE),), reach=(tempfile.gettempdir(), "/proc/self"))
ENDS = {"task.succeeded", "task.failed", "task.released", "task.canceled"}


def worker_settings(place: Path, **changes: object) -> Settings:
    times = {"heartbeat_seconds": 0.1, "progress_seconds": 0.05, "drain_seconds": 10.0}
    return Settings(data_dir=place / "data", **{**times, **changes})


async def gone(pid: int) -> None:
    """Return when the process *pid*, which need not be ours, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(60):
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@dataclass
class WatchedDelivery:
    """A delivery that writes down what is decided about it."""

    delivery: Delivery
    decided: list[str]

    @property
    def envelope(self) -> Envelope:
        return self.delivery.envelope

    @property
    def redelivered(self) -> bool:
        return self.delivery.redelivered

    async def ack(self) -> None:
        self.decided.append("ack")
        await self.delivery.ack()

    async def reject(self) -> None:
        self.decided.append("reject")
        await self.delivery.reject()

    async def release(self) -> None:
        self.decided.append("release")
        await self.delivery.release()


@dataclass
class FaultyBus:
    """A bus that refuses what it is told to; ``refused`` are the types of what it did.

    ``after`` is called with the type of what was published before the publisher hears that it is. ``decided`` is what
    became of the deliveries.
    """

    bus: MessageBus
    refuses: Callable[[str], bool] = lambda type_name: False
    refused: list[str] = field(default_factory=list)
    after: Callable[[str], Awaitable[None]] | None = None
    decided: list[str] = field(default_factory=list)

    async def publish(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            if self.refuses(posting.envelope.type):
                self.refused.append(posting.envelope.type)
                raise BusUnavailable("The bus refuses this in a test.")
        await self.bus.publish(postings)
        if self.after is not None:
            for posting in postings:
                await self.after(posting.envelope.type)

    async def take(self, queues: Sequence[str]) -> Delivery:
        return WatchedDelivery(await self.bus.take(queues), self.decided)

    def consume(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        return self.bus.consume(queue, prefetch=prefetch)

    def listen(self, exchange: str, keys: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Envelope]]:
        return self.bus.listen(exchange, keys)

    async def depth(self, queue: str) -> int:
        return await self.bus.depth(queue)

    async def check(self) -> None:
        await self.bus.check()

    def connected_since(self):
        return self.bus.connected_since()


class Bench:
    """A worker with what it needs, and everything that it said."""

    def __init__(self, bus: FaultyBus, storage: ObjectStorage, settings: Settings) -> None:
        self.bus = bus
        self.storage = storage
        self.settings = settings
        self.stopping = asyncio.Event()
        self.said: list[Message] = []
        self._news = asyncio.Condition()

    async def listen(self) -> None:
        async with self.bus.listen(EVENTS, ["#"]) as events:
            async for envelope in events:
                async with self._news:
                    self.said.append(envelope.message())
                    self._news.notify_all()

    async def hear(self, wanted: Callable[[Message], bool], seconds: float = 10.0) -> Message:
        """The first message, of those already said too, for which *wanted* is true."""
        async with asyncio.timeout(seconds), self._news:
            while not (found := [message for message in self.said if wanted(message)]):
                await self._news.wait()
        return found[0]

    async def end_of(self, command: TaskCommand, seconds: float = 10.0) -> TaskEvent:
        return await self.hear(lambda m: m.type in ENDS and m.task_id == command.task_id, seconds)

    async def run_worker(self, kinds: Sequence[Kind] = ("render", "probe")) -> None:
        await run_worker(self.bus, self.storage, self.settings, kinds=kinds, stopping=self.stopping, program=PROGRAM)

    async def send(self, command: TaskCommand) -> TaskCommand:
        await self.bus.bus.publish([post(command)])
        return command

    async def task(self, wish: str, *, kind: Kind = "render", **details: object) -> TaskCommand:
        """A command whose source lies in the storage and says *wish*."""
        task_id = new_id()
        stored = await self.storage.put(f"originals/{task_id}", _chunks(wish.encode()))
        about = {name: new_id() for name in ("run_id", "video_id")}
        defaults = {
            "tenant": "default",
            "name": kind,
            "attempt": 1,
            "source": ObjectRef(key=stored.key, etag=stored.etag, size=stored.size),
            "output_prefix": f"outputs/{task_id}/",
            "parameters": ReadFacts() if kind == "probe" else Edit(width=2, height=2, duration=1.0),
            "deadline": utc_now() + timedelta(minutes=5),
        }
        return COMMANDS[kind](task_id=task_id, **about, **{**defaults, **details})

    async def content(self, key: str) -> bytes:
        async with self.storage.read(key) as chunks:
            return b"".join([chunk async for chunk in chunks])

    def scratch(self) -> list[Path]:
        """The directories of running tasks, and all files in them."""
        return [path for path in self.settings.scratch_path().glob("*/*") if path.name != ".lock"]

    def of(self, command: TaskCommand, *ignored: str) -> list[str]:
        """The types of what was said about *command*, in order."""
        events = [m for m in self.said if isinstance(m, TaskEvent) and m.task_id == command.task_id]
        return [event.type for event in events if event.type not in ignored]

    def alive(self) -> list[WorkerAlive]:
        return [message for message in self.said if isinstance(message, WorkerAlive)]


@asynccontextmanager
async def open_bench(place: Path, **changes: object) -> AsyncIterator[Bench]:
    """A bench without a worker yet."""
    settings = worker_settings(place, **changes)
    async with open_in_process() as bus, open_local_files(settings.objects_path()) as storage:
        bench = Bench(FaultyBus(bus), storage, settings)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(bench.listen())
            yield bench
            listening.cancel()


@asynccontextmanager
async def open_worker(place: Path, **changes: object) -> AsyncIterator[Bench]:
    """A bench with a worker, which has drained when the context is left."""
    async with open_bench(place, **changes) as bench, asyncio.TaskGroup() as group:
        group.create_task(bench.run_worker())
        yield bench
        bench.stopping.set()


async def appears(path: Path) -> str:
    """The content of *path* once another process has written it; processes have no event to wait for."""
    async with asyncio.timeout(60):
        while not (path.exists() and path.read_text()):
            await asyncio.sleep(0.01)
    return path.read_text()


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content
