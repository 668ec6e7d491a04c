"""Why a video is where it is now, in plain words and in typed fields; pure, so that every case can be tried."""

from collections.abc import Sequence
from datetime import datetime

from moviola.video import TERMINAL_TASK_STATES, Failure, Run, RunState, Status, TaskState, VideoState, status_of
from moviola_api.documents import Document
from moviola_api.waiting import Circumstances, TaskExplanation, explain_task

_UNDER_WAY = frozenset(TaskState) - TERMINAL_TASK_STATES


class LetterInBrief(Document):
    """A message about the video that could not be handled."""

    id: str
    type: str
    queue: str
    reason: str
    died_at: datetime


class Explanation(Document):
    """``sentence`` says it all; ``reason`` is its stable code, that of the pass that holds the run up while it works.

    ``since``: when it came into this state. ``advice``: what can be done about it. ``last_run_failure``: how a
    reprocessing ended while the video stayed ready. ``passes`` are those of the latest run, in their order.
    """

    video_id: str
    run_id: str | None
    status: Status
    state: str
    since: datetime
    reason: str
    sentence: str
    advice: str | None = None
    failure: Failure | None = None
    last_run_failure: Failure | None = None
    bus_connected: bool
    passes: tuple[TaskExplanation, ...] = ()
    dead_letters: tuple[LetterInBrief, ...] = ()


def explain(around: Circumstances) -> Explanation:
    """The explanation of a video under these circumstances."""
    run, video = around.latest, around.video
    passes = tuple(explain_task(task, around) for task in around.tasks)
    reason, sentence, advice = _before_a_run(around) if run is None else _of_run(run, passes, around)
    status = status_of(video, run, around.serving)
    failure = run.failure if run is not None else None
    return Explanation(
        video_id=video.id,
        run_id=run.id if run is not None else None,
        status=status,
        state=run.state if run is not None else video.state,
        since=around.since or video.updated_at,
        reason=reason,
        sentence=f"{sentence}{_dead(around)}",
        advice=advice,
        failure=failure if status is not Status.READY else None,
        last_run_failure=failure if status is Status.READY else None,
        bus_connected=around.bus_here,
        passes=passes,
        dead_letters=tuple(
            LetterInBrief(**{name: getattr(one, name) for name in LetterInBrief.model_fields})
            for one in around.dead_letters
        ),
    )


def _dead(around: Circumstances) -> str:
    return "".join(
        f" A message about it, {one.type}, is a dead letter since {around.clock(one.died_at)} ({one.reason}); "
        f"see `moviola dead-letters show {one.id}`."
        for one in around.dead_letters
    )


Said = tuple[str, str, str | None]


def _before_a_run(around: Circumstances) -> Said:
    if around.video.state is VideoState.WAITING_UPLOAD:
        begun = around.clock(around.video.created_at)
        return "upload.unfinished", f"Its upload began at {begun} and has not ended.", "Finish the upload."
    uploaded = f"It was uploaded at {around.clock(around.video.created_at)}"
    if not around.bus_here:
        return "bus.away", f"{uploaded}, and the message bus is away; it begins when the bus is back.", None
    if around.nobody_relays:
        return (
            "orchestrator.away",
            f"{uploaded}, and no orchestrator has taken it up; the oldest message waits since "
            f"{around.clock(around.unsent_since)}.",
            "Look whether an orchestrator runs.",
        )
    return "run.beginning", f"{uploaded} and is about to begin.", None


def _of_run(run: Run, passes: Sequence[TaskExplanation], around: Circumstances) -> Said:
    since = around.clock(around.since)
    match run.state:
        case RunState.READY:
            return "run.ready", f"It is ready since {since}.", None
        case RunState.FAILED:
            return _failed(run, since, around)
        case RunState.CANCELED:
            return "run.canceled", f"It was canceled at {since}.{_still_ready(around)}", None
        case RunState.CANCELING:
            return _canceling(passes, since)
        case _:
            return _working(passes, around)


def _working(passes: Sequence[TaskExplanation], around: Circumstances) -> Said:
    open_ones = [one for one in passes if one.state in _UNDER_WAY]
    if not open_ones:
        return "run.deciding", f"Its passes are done; what follows is being decided.{_still_ready(around)}", None
    sentences = " ".join(one.sentence for one in open_ones)
    return open_ones[0].reason, f"{sentences}{_still_ready(around)}", _ADVICE.get(open_ones[0].reason)


def _canceling(passes: Sequence[TaskExplanation], since: str) -> Said:
    who = ", ".join(
        f"worker {one.worker} to stop {one.pass_}{_lease(one)}" for one in passes if one.state is TaskState.RUNNING
    )
    return "run.canceling", f"It is being canceled since {since}: waits for {who or 'its last word'}.", None


def _lease(one: TaskExplanation) -> str:
    return f" (lease until {one.lease_until:%H:%M:%S} UTC)" if one.lease_until is not None else ""


def _failed(run: Run, since: str, around: Circumstances) -> Said:
    failure = run.failure or Failure(code="unknown", step="run", message="No reason was kept.")
    what = f"It failed at {failure.step} at {since}: {failure.code}: {failure.message}{_still_ready(around)}"
    return "run.failed", what, _advice_on(failure.code)


def _still_ready(around: Circumstances) -> str:
    if around.serving is None:
        return ""
    return f" The files of run {around.serving.number} stay as they are."


_ADVICE = {
    "bus.away": "Nothing is lost; look whether RabbitMQ runs.",
    "orchestrator.away": "Look whether an orchestrator runs.",
    "worker.none_alive": "Start a worker for it.",
}
# By the longest beginning of the failure's code that is listed.
_ADVICE_ON_FAILURES = {
    "media.": "The file itself is at fault: check it, and upload one that plays.",
    "media.too_": "The file is above a published limit: shorten or scale it down, and upload it again.",
    "recipe.": "The recipe does not fit this file: change it, and process the video again.",
    "storage.": "The storage did not do its part: see that it answers and has room, and try again.",
    "storage.input_changed": "The object was replaced while it was being worked on: announce it again.",
    "worker.": "The file may be sound, so that another try may go well; if it fails again, tell us.",
    "worker.crashed": "The process that decodes it died again and again: the file may be hostile, or the memory short.",
    "worker.deadline_exceeded": "It took longer than MOVIOLA_DEADLINE_SECONDS allows: raise that, or ask for less.",
}


def _advice_on(code: str) -> str | None:
    fitting = [beginning for beginning in _ADVICE_ON_FAILURES if code.startswith(beginning)]
    return _ADVICE_ON_FAILURES[max(fitting, key=len)] if fitting else None
