"""How far a run is: weighed over its passes, live from what workers say, bounded in memory.

Nothing of it is stored. A replica that heard nothing shows what the database knows: which passes are done.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moviola.messages import TaskProgress, TaskSucceeded, VideoEvent, VideoStateChanged
from moviola.plan import PROBE_PASS, Edit, Package, Pass, Plan, edit_and_ladder
from moviola.video import TERMINAL_RUN_STATES, Run, RunId, RunState, Task, TaskState

MAX_RUNS = 1000
PROBE_SHARE = 0.02
THUMBNAILS_SHARE = 0.03
# Copying packets costs about a twentieth of encoding them.
COPY_COST = 0.05


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What was last heard of a pass: ``done`` from 0 to 1, how long it thinks it will take yet, in which attempt."""

    done: float
    eta_seconds: float | None = None
    attempt: int = 1


class LiveProgress:
    """The last glimpse of every pass of the runs heard of lately; the quietest run is forgotten first."""

    def __init__(self, *, max_runs: int = MAX_RUNS) -> None:
        self._max_runs = max_runs
        self._runs: OrderedDict[RunId, dict[str, Glimpse]] = OrderedDict()

    def hear(self, event: VideoEvent | TaskProgress | TaskSucceeded) -> None:
        """Take note of *event*."""
        match event:
            case TaskProgress():
                self._note(event.run_id, event.name, Glimpse(event.progress, event.eta_seconds, event.attempt))
            case TaskSucceeded():
                self._note(event.run_id, event.name, Glimpse(1.0, None, event.attempt))
            case VideoStateChanged() if event.state in TERMINAL_RUN_STATES:
                self._runs.pop(event.run_id, None)

    def _note(self, run_id: RunId, name: str, glimpse: Glimpse) -> None:
        run = self._runs.setdefault(run_id, {})
        before = run.get(name)
        # Messages overtake each other: a later word may be an older one.
        if before is None or (before.attempt, before.done) <= (glimpse.attempt, glimpse.done):
            run[name] = glimpse
        self._runs.move_to_end(run_id)
        if len(self._runs) > self._max_runs:
            self._runs.popitem(last=False)

    def of(self, run_id: RunId) -> Mapping[str, Glimpse]:
        """The glimpses of a run's passes, by name."""
        return self._runs.get(run_id, {})


def weights(plan: Plan | None) -> Mapping[str, float]:
    """What each pass weighs, adding up to 1: probing 2 %, thumbnails 3 %, edits by the seconds that they make.

    Without a plan, which probing brings, there is only probing, and it is 2 % of what is to come.
    """
    if plan is None:
        return {PROBE_PASS.name: PROBE_SHARE}
    edits = {one.name: _cost(one) for one in plan.passes if isinstance(one.parameters, Edit | Package)}
    others = [one.name for one in plan.passes if one.name not in edits]
    small = {PROBE_PASS.name: PROBE_SHARE, **dict.fromkeys(others, THUMBNAILS_SHARE)}
    if not edits:
        whole = sum(small.values())
        return {name: share / whole for name, share in small.items()}
    left, total = 1.0 - sum(small.values()), sum(edits.values())
    return {**small, **{name: left * cost / total for name, cost in edits.items()}}


def _cost(one: Pass) -> float:
    edit, _ = edit_and_ladder(one.parameters)
    seconds = max(edit.duration, 0.1) if edit is not None else 0.1
    encoded = seconds if one.lossy else 0.0
    if one.encoded_seconds is not None:
        encoded = min(one.encoded_seconds, seconds)
    return encoded + (seconds - encoded) * COPY_COST


def overall(run: Run, tasks: Sequence[Task], live: Mapping[str, Glimpse]) -> Glimpse:
    """How far *run* is and how long it will take yet, where a running pass gave an estimate."""
    if run.state is RunState.READY:
        return Glimpse(1.0, 0.0)
    shares = weights(run.plan)
    done = {task.name: _done(task, live) for task in tasks}
    fraction = sum(share * done.get(name, 0.0) for name, share in shares.items())
    if run.state in TERMINAL_RUN_STATES:
        return Glimpse(min(fraction, 1.0))
    return Glimpse(min(fraction, 1.0), _eta(shares, done, live))


def _done(task: Task, live: Mapping[str, Glimpse]) -> float:
    if task.state is TaskState.SUCCEEDED:
        return 1.0
    glimpse = live.get(task.name)
    return glimpse.done if glimpse is not None else 0.0


def _eta(shares: Mapping[str, float], done: Mapping[str, float], live: Mapping[str, Glimpse]) -> float | None:
    """The running pass's own estimate, and as much again for the others as they weigh more than it."""
    for name, glimpse in live.items():
        at = done.get(name, 0.0)
        share = shares.get(name, 0.0)
        if glimpse.eta_seconds is None or not share or not 0.0 < at < 1.0:
            continue
        seconds_per_weight = glimpse.eta_seconds / (1.0 - at) / share
        others = sum(other * (1.0 - done.get(one, 0.0)) for one, other in shares.items() if one != name)
        return glimpse.eta_seconds + seconds_per_weight * others
    return None
