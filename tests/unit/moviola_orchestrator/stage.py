"""The orchestrator's parts on a real SQLite file and the in-process bus, moved by hand: no loop runs, no time passes.

The worker is the tests' own: it takes commands from the queues and answers on the bus.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from moviola.errors import BusUnavailable, StaleVersion, StoreUnavailable
from moviola.messages import (
    Message,
    TaskCommand,
    TaskEvent,
    TaskStarted,
    TaskSucceeded,
    VideoUploaded,
    WorkerAlive,
)
from moviola.plan import FINDINGS_ONLY, KINDS, Kind
from moviola.ports.message_bus import Delivery, Envelope, MessageBus, Posting, post
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import Transaction, VideoStore
from moviola.quality import Quality
from moviola.recipe import SHOWCASE, Recipe
from moviola.settings import Settings
from moviola.topology import DEAD, ORCHESTRATOR, task_queue
from moviola.video import HistoryEntry, OutputFile, Run, Task, Video, VideoId, VideoState, new_id, utc_now
from moviola_orchestrator.bells import Bells
from moviola_orchestrator.dispatch import Dispatcher
from moviola_orchestrator.ledger import Ledger
from moviola_orchestrator.outbox import Relay
from moviola_orchestrator.quarantine import Quarantine
from moviola_orchestrator.reactions import Reactions
from moviola_orchestrator.step_cache import StepCache
from moviola_orchestrator.sweeper import Sweeper
from tests.unit.moviola_orchestrator.scene import facts, uploaded_video

Word = TypeVar("Word", bound=TaskEvent)


def about_task(command: TaskCommand, worker: str = "w1", nonce: str = "n1") -> dict[str, object]:
    return {
        "task_id": command.task_id,
        "run_id": command.run_id,
        "video_id": command.video_id,
        "tenant": command.tenant,
        "name": command.name,
        "attempt": command.attempt,
        "worker": worker,
        "nonce": nonce,
    }


def word(kind: type[Word], command: TaskCommand, *, worker: str = "w1", nonce: str = "n1", **fields: object) -> Word:
    """What *worker* says about the attempt that it was commanded."""
    return kind.model_validate({**about_task(command, worker, nonce), **fields})


def result(command: TaskCommand, *, worker: str = "w1", nonce: str = "n1") -> TaskSucceeded:
    outputs = [
        OutputFile(
            name=name,
            key=f"{command.output_prefix}{command.attempt}-{nonce}/{name}",
            size=10,
            sha256="0" * 64,
            content_type="video/mp4",
        )
        for name in command.files or ("video.mp4",)
        if command.kind not in FINDINGS_ONLY
    ]
    probe = facts() if command.kind == "probe" else None
    quality = Quality(checks=()) if command.kind == "verify" else None
    return word(TaskSucceeded, command, worker=worker, nonce=nonce, outputs=outputs, probe=probe, quality=quality)


class FaultyStore:
    """The real store, but some transactions fail: before they begin, as stale, or after they were committed."""

    def __init__(self, store: VideoStore) -> None:
        self._store = store
        self.faults: list[str] = []
        self.is_away = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before" or self.is_away:
            raise StoreUnavailable("The database is away.")
        async with self._store.transaction() as transaction:
            yield transaction
            if fault == "stale":
                raise StaleVersion("Somebody else wrote first.")
        if fault == "after":
            raise StoreUnavailable("The connection was lost at the commit.")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        if self.is_away:
            raise StoreUnavailable("The database is away.")
        async with self._store.snapshot() as view:
            yield view

    async def migrate(self) -> None:
        await self._store.migrate()

    async def outbox_written(self, *, timeout: float) -> bool:
        return await self._store.outbox_written(timeout=timeout)

    async def check(self) -> None:
        await self._store.check()

    def connected_since(self) -> datetime | None:
        return None if self.is_away else self._store.connected_since()


class FaultyBus:
    """The real bus, but it can be away; what is published meanwhile is lost or arrives without an answer."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.away = False
        self.since: datetime | None = None
        self.loses_answers = 0
        self.published: list[Posting] = []

    async def publish(self, postings: Sequence[Posting]) -> None:
        await self.check()
        await self._bus.publish(postings)
        self.published.extend(postings)
        if self.loses_answers:
            self.loses_answers -= 1
            raise BusUnavailable("The bus did not confirm.")

    def consume(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        return self._bus.consume(queue, prefetch=prefetch)

    def listen(self, exchange: str, keys: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Envelope]]:
        return self._bus.listen(exchange, keys)

    async def take(self, queues: Sequence[str]) -> Delivery:
        return await self._bus.take(queues)

    async def depth(self, queue: str) -> int:
        await self.check()
        return await self._bus.depth(queue)

    async def check(self) -> None:
        if self.away:
            raise BusUnavailable("The bus is away.")

    def connected_since(self) -> datetime | None:
        return None if self.away else self.since or self._bus.connected_since()


class Stage:
    """``now`` moves by ``pass_time`` only."""

    def __init__(self, bus: MessageBus, store: VideoStore, storage: ObjectStorage, settings: Settings) -> None:
        self.now = utc_now()
        self.bus = bus = FaultyBus(bus)
        self.store = FaultyStore(store)
        self.storage = storage
        self.settings = settings
        self.bells = Bells()
        self.stopping = asyncio.Event()
        cache = StepCache(self.store, storage, settings)
        self.ledger = Ledger(self.store, settings, self.bells, clock=lambda: self.now, chance=lambda: 0.5, cache=cache)
        self.dispatcher = Dispatcher(self.ledger, settings)
        self.reactions = Reactions(bus, self.ledger, self.dispatcher, Quarantine(settings, self.ledger.clock), storage)
        self.relay = Relay(bus, self.store, self.bells.outbox)
        self.sweeper = Sweeper(bus, self.ledger, storage, settings, alone=True)

    async def upload(
        self, recipe: Recipe | None = SHOWCASE, *, priority: int = 0, doorbell: bool = True, **changes: object
    ) -> Video:
        """What the API does: the video and its event in one transaction."""
        video = uploaded_video(recipe, video_id=new_id(), at=self.now)
        video = replace(video, priority=priority, **changes)  # type: ignore[arg-type]  # the tests' own keywords
        async with self.store.transaction() as transaction:
            await transaction.videos.add(video)
            if doorbell:
                await transaction.outbox.add([post(VideoUploaded(video_id=video.id, tenant=video.tenant))])
        return video

    async def change(self, video: Video, **changes: object) -> None:
        """What the API writes when a client asks for something; without the doorbell."""
        async with self.store.transaction() as transaction:
            found = await transaction.videos.get(video.tenant, video.id)
            assert found is not None
            await transaction.videos.save(replace(found.video, **changes))  # type: ignore[arg-type]  # as above

    async def delete(self, video: Video) -> None:
        await self.change(video, state=VideoState.DELETED)

    async def workers(
        self, count: int = 1, *, kinds: Sequence[Kind] = KINDS, capacity: int = 1, engine: str = "e1"
    ) -> None:
        """That many workers announce themselves."""
        for number in range(1, count + 1):
            alive = WorkerAlive(worker=f"w{number}", kinds=tuple(kinds), version="1", capacity=capacity, engine=engine)
            await self.reactions.react(alive)

    async def says(self, *messages: Message) -> None:
        """Publish, and let everything that follows happen."""
        await self.bus.publish([post(message) for message in messages])
        await self.quiet()

    async def quiet(self) -> None:
        """Relay, react and dispatch until nothing is left to do."""
        busy = 1
        while busy:
            busy = await self.relay.relay()
            while await self.bus.depth(ORCHESTRATOR):
                delivery = await self.bus.take([ORCHESTRATOR])
                await self.reactions.handle(delivery, self.stopping)
                busy += 1
            busy += await self.dispatcher.dispatch_waiting()

    async def command(self, kind: str) -> TaskCommand:
        """Take the next command of a kind, as a worker does."""
        assert await self.bus.depth(task_queue(kind)), f"no command waits on the queue of {kind}"
        delivery = await self.bus.take([task_queue(kind)])
        message = delivery.envelope.message()
        await delivery.ack()
        assert isinstance(message, TaskCommand)
        return message

    async def start(self, kind: str, *, worker: str = "w1", nonce: str = "n1") -> TaskCommand:
        command = await self.command(kind)
        await self.says(word(TaskStarted, command, worker=worker, nonce=nonce))
        return command

    async def do(self, *kinds: str) -> None:
        """A worker does well what waits on these queues, one after the other."""
        for kind in kinds:
            await self.says(result(await self.start(kind)))

    async def queued(self) -> dict[str, int]:
        """How many commands wait, by kind."""
        depths = {kind: await self.bus.depth(task_queue(kind)) for kind in KINDS}
        return {kind: depth for kind, depth in depths.items() if depth}

    async def dead(self) -> int:
        return await self.bus.depth(DEAD)

    async def pass_time(self, seconds: float) -> None:
        """The clock moves on and the sweeper sweeps whenever it is time, as it would."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now = min(end, self.now + timedelta(seconds=self.settings.sweep_seconds))
            await self.sweeper.sweep()

    async def run_of(self, video: Video) -> Run:
        async with self.store.snapshot() as view:
            run = await view.runs.latest(VideoId(video.id))
        assert run is not None
        return run

    async def tasks_of(self, video: Video) -> dict[str, Task]:
        run = await self.run_of(video)
        async with self.store.snapshot() as view:
            return {task.name: task for task in await view.tasks.of_run(run.id)}

    async def history_of(self, video: Video) -> Sequence[HistoryEntry]:
        async with self.store.snapshot() as view:
            return await view.history.of_video(video.id)

    async def unsent(self) -> int:
        async with self.store.snapshot() as view:
            return (await view.outbox.pending())[0]
