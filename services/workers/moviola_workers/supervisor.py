"""One attempt at one task, from its inputs to the event that ends it.

The work (fetch, child, store) runs in the middle; around it watchers wait for what may end it early: the deadline, a
stall, a cancel, the worker's own end. Whichever comes first stops the rest, the child is killed, and the scratch
directory is removed before the end is told.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from moviola.errors import TaskFailure
from moviola.messages import TaskCanceled, TaskCommand, TaskEvent, TaskReleased, TaskSucceeded
from moviola.ports.object_storage import ObjectStorage
from moviola.settings import Settings
from moviola.video import utc_now
from moviola_workers.child_process import Child, ChildCrashed
from moviola_workers.job import Job, JobResult
from moviola_workers.meter import Meter
from moviola_workers.reporting import Reporter
from moviola_workers.scratch import TaskRoom, open_room, size_of_tree
from moviola_workers.transfer import Inputs, fetch_inputs, hash_file, store_outputs

log = structlog.get_logger()

SIZE_SECONDS = 2.0


class Stopped(Exception):
    """The attempt was told to stop; ``ending`` is the event that says so."""

    def __init__(self, ending: type[TaskCanceled] | type[TaskReleased]) -> None:
        super().__init__(ending.type)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Place:
    """Where attempts run: the storage, this worker's scratch directory, its settings; and what makes results there."""

    storage: ObjectStorage
    scratch: Path
    settings: Settings
    engine: str = ""


class Attempt:
    """An attempt at *command*. ``cancel`` and ``release`` may come at any time, also before ``run``."""

    def __init__(self, command: TaskCommand, reporter: Reporter, place: Place) -> None:
        self.command = command
        self.nonce = reporter.nonce
        self._reporter = reporter
        self._place = place
        self._meter = Meter()
        self._stop: asyncio.Future[Stopped] = asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        """Stop it for good: nobody wants the result, or somebody else makes it."""
        self._stop_with(Stopped(TaskCanceled))

    def release(self) -> None:
        """Stop it because this worker ends; somebody else shall do it."""
        self._stop_with(Stopped(TaskReleased))

    async def run(self, child: Child) -> TaskEvent:
        """Do the task with *child*, which is gone afterwards, and return the event that ends it."""
        try:
            return await self._watched(child)
        except BaseExceptionGroup as group:
            causes = list(_leaves(group))
        except TaskFailure as failure:
            causes = [failure]
        finally:
            await child.end()
        return self._ending(causes, child)

    async def _watched(self, child: Child) -> TaskEvent:
        async with open_room(self._place.scratch, self.nonce) as room, asyncio.TaskGroup() as group:
            watchers = [group.create_task(watch) for watch in self._watches(room)]
            try:
                return await self._work(child, room)
            finally:
                # Before the room goes: a child that still writes would leave files behind.
                await child.end()
                for watcher in watchers:
                    watcher.cancel()

    async def _work(self, child: Child, room: TaskRoom) -> TaskEvent:
        inputs = await fetch_inputs(self._place.storage, self.command, room.inputs, self._meter)
        self._meter.begin("work")
        async with asyncio.TaskGroup() as group:
            digest = group.create_task(self._digest(inputs))
            result = await child.run(self._job(inputs, room.work), self._meter.moved)
        await child.end()
        for remark in result.remarks:
            log.warning("the task was not done as planned", reason=remark)
        return await self._store(result, room, await digest)

    async def _store(self, result: JobResult, room: TaskRoom, digest: str | None) -> TaskEvent:
        prefix = f"{self.command.output_prefix}{self.command.attempt}-{self.nonce}/"
        outputs = await store_outputs(
            self._place.storage, self.command, result, scratch=room.work, prefix=prefix, meter=self._meter
        )
        return self._reporter.event(
            TaskSucceeded,
            outputs=outputs,
            probe=result.probe,
            loudness=result.loudness,
            quality=result.quality,
            source_sha256=digest,
            engine=self._place.engine,
        )

    async def _digest(self, inputs: Inputs) -> str | None:
        """The source's SHA-256: known from somewhere, or read beside the probe; other tasks do without."""
        if inputs.sha256 is not None or self.command.kind != "probe":
            return inputs.sha256
        return await hash_file(inputs.source, lambda _: self._meter.touch())

    def _job(self, inputs: Inputs, scratch: Path) -> Job:
        return Job(
            kind=self.command.kind,
            parameters=self.command.parameters,
            source=inputs.source,
            resources=inputs.resources,
            scratch=scratch,
            files=self.command.files,
            limits=self.command.limits,
            encoder_threads=self._place.settings.encoder_threads,
        )

    def _watches(self, room: TaskRoom) -> Iterator[Coroutine[object, object, None]]:
        settings = self._place.settings
        yield self._watch_size(room)
        yield self._watch_for_stop()
        yield self._watch_deadline()
        yield self._watch_stall()
        yield self._reporter.beat(self._meter, settings.heartbeat_seconds)
        yield self._reporter.show(self._meter, settings.progress_seconds)

    async def _watch_for_stop(self) -> None:
        raise await self._stop

    async def _watch_deadline(self) -> None:
        await asyncio.sleep((self.command.deadline - utc_now()).total_seconds())
        raise TaskFailure("worker.deadline", "The task was not done by its deadline.", permanent=True)

    async def _watch_stall(self) -> None:
        allowed = self.command.limits.stall_seconds
        while (idle := self._meter.idle_seconds()) < allowed:  # noqa: ASYNC110  # a report comes for every frame; an event each would cost more
            await asyncio.sleep(allowed - idle)
        raise TaskFailure("worker.stalled", f"The task did not move for {allowed:g} s.", permanent=False)

    async def _watch_size(self, room: TaskRoom) -> None:
        """One file can't grow beyond the limit; many together must not either."""
        allowed = self.command.limits.max_bytes
        while await asyncio.to_thread(size_of_tree, room.work) <= allowed:  # noqa: ASYNC110  # the child writes without us
            await asyncio.sleep(SIZE_SECONDS)
        message = f"The task wrote more than {allowed} bytes."
        raise TaskFailure("worker.output_too_large", message, permanent=True)

    def _stop_with(self, stopped: Stopped) -> None:
        if not self._stop.done():
            self._stop.set_result(stopped)

    def _ending(self, causes: list[BaseException], child: Child) -> TaskEvent:
        for cause in causes:
            if isinstance(cause, Stopped):
                return self._reporter.event(cause.ending)
        failures = [cause for cause in causes if isinstance(cause, TaskFailure)]
        if len(failures) < len(causes):
            return self._defect(causes)
        if isinstance(failures[0], ChildCrashed):
            log.warning("the child ended badly", reason=str(failures[0]), pid=child.pid, printed=child.tail)
        return self._reporter.failed(failures[0])

    def _defect(self, causes: list[BaseException]) -> TaskEvent:
        """Anything else is a defect of ours: told and logged, and another worker may do better."""
        for cause in causes:
            if not isinstance(cause, Exception):
                raise cause
            log.error("a task met a defect", exc_info=cause)
        return self._reporter.failed(TaskFailure("worker.defect", "The worker met a defect.", permanent=False))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one
