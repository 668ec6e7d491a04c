"""A worker: slots that take tasks one by one, an ear for cancels, and a sign of life.

A slot takes a message only when it holds a child that is ready, claims the task, acknowledges the message and only then
works: from the claim on, the orchestrator's lease owns the task and not the broker.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence

import structlog

from moviola import __version__
from moviola.errors import BusUnavailable, MalformedMessage
from moviola.messages import COMMANDS, TaskCommand, WorkerAlive
from moviola.plan import Kind
from moviola.ports.message_bus import Delivery, MessageBus
from moviola.telemetry import about
from moviola.topology import task_queue
from moviola_workers.child_process import Child
from moviola_workers.hints import heed_hints
from moviola_workers.interruption import unless
from moviola_workers.presence import announce, leaving, show_life
from moviola_workers.reporting import Reporter
from moviola_workers.rest import Rest
from moviola_workers.spares import Spares
from moviola_workers.supervisor import Attempt, Place
from moviola_workers.turns import Turns

log = structlog.get_logger()

BUS_PAUSE_SECONDS = 1.0
# What a worker that ends gives the bus to take its last words; afterwards the lease has to tell.
FAREWELL_SECONDS = 5.0


class Worker:
    """Takes tasks of *kinds* until *stopping* is set, then drains."""

    def __init__(
        self,
        bus: MessageBus,
        spares: Spares,
        place: Place,
        *,
        name: str,
        kinds: Sequence[Kind],
        stopping: asyncio.Event,
    ) -> None:
        self._bus = bus
        self._spares = spares
        self._place = place
        self._settings = place.settings
        self._name = name
        self._kinds = tuple(kinds)
        self._stopping = stopping
        self._attempts: set[Attempt] = set()
        self._turns = Turns(self._kinds, self._settings.worker_capacity)
        self._rest = Rest()

    async def run(self) -> None:
        """Work; returns when the last task has ended or was handed back."""
        every = self._settings.heartbeat_seconds
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(show_life(self._bus, self._alive(), every=every, stopping=self._stopping)),
                group.create_task(heed_hints(self._bus, self._attempts, self._name, self._rest)),
            ]
            slots = [group.create_task(self._fill_slot(number)) for number in range(self._settings.worker_capacity)]
            await self._stopping.wait()
            await self._drain(slots)
            for task in background:
                task.cancel()
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await announce(self._bus, leaving(self._alive()))
        except TimeoutError:
            log.warning("the bus did not take the farewell")

    async def _drain(self, slots: Sequence[asyncio.Task[None]]) -> None:
        log.info("worker stops taking tasks", running=len(self._attempts), drain_seconds=self._settings.drain_seconds)
        _, busy = await asyncio.wait(slots, timeout=self._settings.drain_seconds)
        for attempt in self._attempts:
            attempt.release()
        late = (await asyncio.wait(busy, timeout=FAREWELL_SECONDS))[1] if busy else set()
        for slot in late:
            log.warning("the bus did not take the end of a task; its lease has to expire")
            slot.cancel()

    async def _fill_slot(self, number: int) -> None:
        child: Child | None = None
        try:
            while not self._stopping.is_set():
                if child is None or not child.alive:
                    child = await unless(self._stopping, self._spares.take())
                elif (delivery := await unless(self._stopping, self._take(number))) is not None:
                    await self._handle(delivery, child)
        finally:
            if child is not None:
                await child.end()

    async def _take(self, number: int) -> Delivery | None:
        await self._rest.over()
        queues = [task_queue(kind) for kind in self._turns.order(number)]
        try:
            delivery = await unless(self._rest.called, self._bus.take(queues))
        except BusUnavailable as error:
            log.warning("the bus gives no tasks", error=str(error))
            await asyncio.sleep(BUS_PAUSE_SECONDS)
            return None
        if delivery is not None:
            self._note_turn(delivery, number)
        return delivery

    def _note_turn(self, delivery: Delivery, number: int) -> None:
        """By its type; what is no task of ours is found out when it is handled."""
        for kind in self._kinds:
            if COMMANDS[kind].type == delivery.envelope.type:
                self._turns.took(kind, number)

    async def _handle(self, delivery: Delivery, child: Child) -> None:
        if self._stopping.is_set():
            await delivery.release()
            return
        try:
            command = self._command_in(delivery)
        except MalformedMessage as error:
            log.warning("a message goes to the dead letters", message=delivery.envelope.id, error=str(error))
            await delivery.reject()
            return
        reporter = Reporter(self._bus, command, worker=self._name, nonce=secrets.token_hex(8))
        attempt = Attempt(command, reporter, self._place)
        # Known before it is claimed: the answer to a claim may be that somebody else has the task.
        self._attempts.add(attempt)
        try:
            with about(command.video_id, task=command.task_id, kind=command.kind, attempt=command.attempt):
                if await self._claim(delivery, reporter):
                    await self._carry_out(attempt, reporter, child)
        finally:
            self._attempts.discard(attempt)

    def _command_in(self, delivery: Delivery) -> TaskCommand:
        message = delivery.envelope.message()
        if not isinstance(message, TaskCommand) or message.kind not in self._kinds:
            raise MalformedMessage(f"A {message.type} message is no task for this worker.")
        return message

    async def _claim(self, delivery: Delivery, reporter: Reporter) -> bool:
        try:
            await reporter.started()
        except BusUnavailable as error:
            log.warning("the bus did not take the claim; the task goes back", error=str(error))
            await delivery.release()
            await unless(self._stopping, asyncio.sleep(BUS_PAUSE_SECONDS))
            return False
        await delivery.ack()
        return True

    async def _carry_out(self, attempt: Attempt, reporter: Reporter, child: Child) -> None:
        began = time.monotonic()
        log.info("task started", task_name=attempt.command.name)
        event = await attempt.run(child)
        code = getattr(event, "code", None)
        seconds = round(time.monotonic() - began, 3)
        log.info("task finished", end=event.type, seconds=seconds, **({"code": code} if code else {}))
        await reporter.ended(event)

    def _alive(self) -> WorkerAlive:
        capacity = self._settings.worker_capacity
        return WorkerAlive(
            worker=self._name, kinds=self._kinds, version=__version__, capacity=capacity, engine=self._place.engine
        )
