"""What an attempt tells the others: that it started, how it goes, and how it ended.

The end is told until the bus has confirmed it. How it goes is told when the bus listens: a progress that was lost is
followed by another, and a heartbeat counts as given only once it was confirmed.
"""

import asyncio
from typing import TypeVar

import stamina
import structlog

from moviola.errors import BusUnavailable, TaskFailure
from moviola.messages import TaskCommand, TaskEvent, TaskFailed, TaskHeartbeat, TaskProgress, TaskStarted
from moviola.ports.message_bus import MessageBus, post
from moviola_workers.child_process import ChildCrashed
from moviola_workers.meter import Meter

log = structlog.get_logger()
AnyTaskEvent = TypeVar("AnyTaskEvent", bound=TaskEvent)

REPEAT_SECONDS = 0.1
REPEAT_CAP_SECONDS = 5.0


class Reporter:
    """Speaks for one attempt, under the nonce that fences it."""

    def __init__(self, bus: MessageBus, command: TaskCommand, *, worker: str, nonce: str) -> None:
        self._bus = bus
        self._command = command
        self.worker = worker
        self.nonce = nonce

    def event(self, kind: type[AnyTaskEvent], **details: object) -> AnyTaskEvent:
        """An event of this attempt."""
        about = self._command.model_dump(include={"task_id", "run_id", "video_id", "tenant", "name", "attempt"})
        return kind.model_validate({**about, "worker": self.worker, "nonce": self.nonce, **details})

    def failed(self, failure: TaskFailure) -> TaskFailed:
        """The event that says how *failure* ended the attempt."""
        return self.event(
            TaskFailed,
            code=failure.code,
            message=str(failure),
            permanent=failure.permanent,
            crashed=isinstance(failure, ChildCrashed),
        )

    async def started(self) -> None:
        """Claim the task; ``BusUnavailable`` where it is not known to be claimed."""
        await self._bus.publish([post(self.event(TaskStarted))])

    async def ended(self, event: TaskEvent) -> None:
        """Tell the end, and return when the bus has confirmed it, however long that takes."""
        posting = post(event)  # one envelope, so that a repetition has the same id
        async for attempt in stamina.retry_context(
            on=BusUnavailable,
            attempts=None,
            timeout=None,
            wait_initial=REPEAT_SECONDS,
            wait_jitter=REPEAT_SECONDS,
            wait_max=REPEAT_CAP_SECONDS,
        ):
            with attempt:
                await self._bus.publish([posting])

    async def beat(self, meter: Meter, every: float) -> None:
        """Renew the lease for as long as *meter* moves; never returns."""
        told = meter.moves
        while True:
            await asyncio.sleep(every)
            moves = meter.moves
            if moves != told and await self._tell(self.event(TaskHeartbeat, progress=meter.value)):
                told = moves

    async def show(self, meter: Meter, every: float) -> None:
        """Tell the progress, also where it stands still: time passes, and so the estimate moves. Never returns."""
        while True:
            await asyncio.sleep(every)
            await self._tell(self.event(TaskProgress, progress=meter.value, eta_seconds=meter.eta_seconds()))

    async def _tell(self, event: TaskEvent) -> bool:
        try:
            await self._bus.publish([post(event)])
        except BusUnavailable as error:
            log.debug("the bus did not take an event", event_type=event.type, error=str(error))
            return False
        return True
