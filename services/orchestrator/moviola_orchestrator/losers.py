"""Collect what attempts left that did not win: their objects lie under names of their own, and no row points at them.

An attempt's last word says that nothing more will be written: unless it is the winner, its objects go then. Of attempts
that never said a last word the objects go when the run ends. What a purge finds, it finds by the video's prefix.
"""

import structlog

from moviola import object_keys
from moviola.errors import MoviolaError
from moviola.messages import TaskCanceled, TaskFailed, TaskReleased, TaskSucceeded
from moviola.plan import PROBE_PASS
from moviola.ports.object_storage import ObjectStorage
from moviola.video import TERMINAL_RUN_STATES, Task
from moviola_orchestrator.decision import Decision
from moviola_orchestrator.happenings import WorkerWord

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def collect_losers(storage: ObjectStorage, decision: Decision, word: WorkerWord) -> None:
    """Delete what the decision about *word* leaves nobody any use of; what can't be deleted now is only told."""
    prefixes = []
    unused = isinstance(word, TaskFailed | TaskReleased | TaskCanceled)
    if unused or (isinstance(word, TaskSucceeded) and word.outputs):
        prefixes.append(f"{_pass_prefix(decision, word.name)}{word.attempt}-{word.nonce}/")
    try:
        if decision.changed and decision.run.state in TERMINAL_RUN_STATES:
            for task in decision.tasks:
                prefixes += await _attempts_of(storage, decision, task)
        for prefix in prefixes:
            if not _is_used(decision, prefix) and await storage.delete(prefix):
                log.info("collected what an attempt left", prefix=prefix)
    except MoviolaError as error:
        log.warning("what an attempt left can't be collected", reason=str(error))


async def _attempts_of(storage: ObjectStorage, decision: Decision, task: Task) -> list[str]:
    """The prefixes of all attempts at a task that had several, but for those that may still be written to."""
    if task.attempt == 1 or task.lease_until is not None or task.name == PROBE_PASS.name:
        return []
    prefix = _pass_prefix(decision, task.name)
    found = {one.key.removeprefix(prefix).partition("/")[0] async for one in storage.list(prefix)}
    return [f"{prefix}{attempt}/" for attempt in sorted(found)]


def _pass_prefix(decision: Decision, name: str) -> str:
    run = decision.run
    return f"{object_keys.outputs(run.tenant, run.video_id)}{run.id}/{name}/"


def _is_used(decision: Decision, prefix: str) -> bool:
    return any(output.key.startswith(prefix) for task in decision.tasks for output in task.outputs)
