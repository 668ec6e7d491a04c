"""Find results that make work needless, and see that their objects are still there.

Whoever decides finds a result within its transaction; looking at the storage has no place there. So a result that
nobody has looked at lately ends the transaction (`NotSeen`), is looked at, and all is decided anew.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from moviola import object_keys
from moviola.errors import StaleVersion, StorageUnavailable
from moviola.fingerprint import engines_for
from moviola.ports.object_storage import ObjectStorage
from moviola.ports.video_store import Transaction, VideoStore
from moviola.settings import Settings
from moviola.video import Run, Task, TaskId
from moviola_orchestrator.decision import Snapshot
from moviola_orchestrator.reuse import result_key

log: structlog.stdlib.BoundLogger = structlog.get_logger()
# Long enough that a decision, also one that has to be made a few times, finds what it looked at.
SEEN_SECONDS = 30.0
REMEMBERED = 1000


class NotSeen(StaleVersion):
    """Some results could be taken over: `look` whether they are there, and decide anew."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        super().__init__("A result of the cache has to be looked at first.")
        self.look = look


class StepCache:
    """``timer`` gives seconds, and can be replaced in tests."""

    def __init__(
        self,
        store: VideoStore,
        storage: ObjectStorage,
        settings: Settings,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._storage = storage
        self._enabled = settings.step_cache
        self._silent = timedelta(seconds=settings.worker_silent_seconds)
        self._timer = timer
        self._seen: dict[str, tuple[float, bool]] = {}

    async def images(self, transaction: Transaction, run: Run) -> Mapping[str, str]:
        """The SHA-256 of the stored images that the run's recipe has, by their ids."""
        names = run.recipe.images if self._enabled and run.recipe is not None else ()
        found = [await transaction.watermarks.get(run.tenant, name) for name in names]
        return {one.id: one.sha256 for one in found if one is not None and one.sha256}

    async def find(
        self, transaction: Transaction, snapshot: Snapshot, tasks: Sequence[Task], *, now: datetime
    ) -> Mapping[TaskId, Task]:
        """Tasks that have the results of *tasks* already, as far as there are any. ``NotSeen``."""
        if not self._enabled:
            return {}
        workers = await transaction.workers.alive(since=now - self._silent)
        keys = {
            task.id: [key for engine in engines_for(task.kind, workers) if (key := result_key(snapshot, task, engine))]
            for task in tasks
        }
        found = await transaction.results.take(snapshot.run.tenant, [key for some in keys.values() for key in some])
        results = {task_id: found[key] for task_id, some in keys.items() for key in some if key in found}
        unseen = [result for result in results.values() if self._is_there(result) is None]
        if unseen:
            raise NotSeen(lambda: self._look_at(unseen))
        return {task_id: result for task_id, result in results.items() if self._is_there(result)}

    async def _look_at(self, results: Collection[Task]) -> None:
        """Look whether the objects of *results* are there; those that are not are forgotten by all."""
        for result in results:
            try:
                there = await self._has_objects(result)
            except StorageUnavailable as error:
                log.warning("the cache can't be used", reason=str(error))
                self._remember(result, there=False)
                continue
            self._remember(result, there=there)
            if not there:
                log.warning("a result of the cache is gone", run=result.run_id, task_name=result.name)
                async with self._store.transaction() as transaction:
                    await transaction.results.forget(result.tenant, [result.result_key or ""])

    async def _has_objects(self, result: Task) -> bool:
        found = {
            stored.key: stored
            for prefix in sorted({object_keys.attempt_of(output.key) for output in result.outputs})
            async for stored in self._storage.list(prefix)
        }
        return all(
            (stored := found.get(output.key)) is not None
            and stored.size == output.size
            and stored.sha256 in (None, output.sha256)
            for output in result.outputs
        )

    def _is_there(self, result: Task) -> bool | None:
        """Whether its objects are there; None where nobody has looked lately."""
        if not result.outputs:
            return True
        until, there = self._seen.get(result.outputs[0].key, (0.0, False))
        return there if self._timer() < until else None

    def _remember(self, result: Task, *, there: bool) -> None:
        if result.outputs:
            key = result.outputs[0].key
            self._seen.pop(key, None)
            if len(self._seen) >= REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = (self._timer() + SEEN_SECONDS, there)
