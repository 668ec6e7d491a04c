"""Any order of events: workers that die, come back and double each other, messages that are lost, late and repeated.

Hypothesis plays the bus, the workers and the clock; the laws are checked after every step.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from moviola.messages import (
    TaskCanceled,
    TaskEvent,
    TaskFailed,
    TaskReleased,
    TaskStarted,
    TaskSucceeded,
    VideoCanceled,
    VideoFailed,
    VideoReady,
)
from moviola.plan import ORIGINAL
from moviola.recipe import PreviewWish, Recipe, Resize, Thumbnails, Trim
from moviola.video import TERMINAL_RUN_STATES, TERMINAL_TASK_STATES, RunState, Task, TaskId, TaskState
from moviola_orchestrator.decision import Policy
from moviola_orchestrator.happenings import (
    CancelRequested,
    FoundInCache,
    LeaseExpired,
    Restarted,
    Unclaimed,
    WorkerWord,
)
from moviola_orchestrator.lifecycle import STATE_OF_KIND
from tests.unit.moviola_orchestrator.scene import Scene, facts, outputs_for, uploaded_video

ENDS = (VideoReady, VideoFailed, VideoCanceled)
LIVE = frozenset(TaskState) - TERMINAL_TASK_STATES


@dataclass(frozen=True)
class Command:
    """A command that lies on a queue, for ever: any worker may take it, once or twice."""

    task_id: TaskId
    name: str
    attempt: int


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        recipe = Recipe(steps=(Trim(end=5), Resize(height=360), Thumbnails(preview=PreviewWish())))
        self.scene = Scene(uploaded_video(recipe), Policy(fusion=False, retry_tries=4))
        self.commands: list[Command] = []
        self.words: list[WorkerWord] = []
        self.owners: dict[tuple[TaskId, int], str] = {}
        self.workers = 0
        self.done: set[TaskId] = set()
        self.other = Scene(uploaded_video(recipe, video_id="v0"), Policy(fusion=False), ids="other")
        self.other.does("probe", "trim", "resize", "thumbnails", "thumbnails-preview", "verify")

    def some(self, state: TaskState) -> list[Task]:
        return [task for task in self.scene.snapshot.tasks if task.state is state]

    @precondition(lambda self: self.some(TaskState.PENDING))
    @rule(data=st.data())
    def dispatch(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.some(TaskState.PENDING)))
        if self.scene.dispatches(task.name).changed:
            self.commands.append(Command(task.id, task.name, task.attempt))

    @precondition(lambda self: self.some(TaskState.PENDING))
    @rule(data=st.data())
    def another_run_has_done_it(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.some(TaskState.PENDING)))
        self.scene.happens(FoundInCache(task.id, self.other.task(task.name)))

    @precondition(lambda self: [word for word in self.words if isinstance(word, TaskStarted)])
    @rule(data=st.data())
    def what_a_worker_reads_is_gone(self, data: st.DataObject) -> None:
        started = data.draw(st.sampled_from([word for word in self.words if isinstance(word, TaskStarted)]))
        about = {name: getattr(started, name) for name in TaskEvent.model_fields}
        failed = TaskFailed(**about, code="storage.input_missing", message="Gone.", permanent=True)
        self.words.append(failed)

    @precondition(lambda self: self.commands)
    @rule(data=st.data(), end=st.sampled_from(["succeed", "fail", "crash", "release", "cancel", "vanish"]))
    def a_worker_takes_a_command(self, data: st.DataObject, end: str) -> None:
        command = data.draw(st.sampled_from(self.commands))
        self.workers += 1
        who = {"worker": f"w{self.workers}", "nonce": f"n{self.workers}"}
        who |= {"task_id": command.task_id, "attempt": command.attempt}
        word, name = self.scene.word, command.name
        self.words.append(word(TaskStarted, name, **who))  # type: ignore[arg-type]  # str and int, as the callee wants
        match end:
            case "succeed":
                outputs = outputs_for(self.scene.run, name, command.attempt, f"n{self.workers}")
                probe = facts() if name == "probe" else None
                self.words.append(word(TaskSucceeded, name, outputs=outputs, probe=probe, **who))  # type: ignore[arg-type]  # as above
            case "fail" | "crash":
                crashed = end == "crash"
                about = {"code": "storage.unavailable", "message": "It broke.", "permanent": False, "crashed": crashed}
                self.words.append(word(TaskFailed, name, **about, **who))  # type: ignore[arg-type]  # as above
            case "release":
                self.words.append(word(TaskReleased, name, **who))  # type: ignore[arg-type]  # as above
            case "cancel":
                self.words.append(word(TaskCanceled, name, **who))  # type: ignore[arg-type]  # as above

    @precondition(lambda self: self.words)
    @rule(data=st.data(), fate=st.sampled_from(["deliver", "deliver", "repeat", "lose"]))
    def the_bus_delivers(self, data: st.DataObject, fate: str) -> None:
        word = data.draw(st.sampled_from(self.words))
        if fate != "repeat":
            self.words.remove(word)
        if fate != "lose":
            before = self.scene.by_id(word.task_id)
            changed = self.scene.happens(word).changed
            if changed:
                assert word.attempt == before.attempt
                assert before.nonce in (None, word.nonce)

    @rule(seconds=st.sampled_from([1, 31]), data=st.data())
    def time_passes(self, seconds: int, data: st.DataObject) -> None:
        self.scene.later(seconds)
        if running := self.some(TaskState.RUNNING):
            self.scene.happens(LeaseExpired(data.draw(st.sampled_from(running)).id))

    @precondition(lambda self: self.some(TaskState.DISPATCHED))
    @rule(data=st.data())
    def nobody_claims(self, data: st.DataObject) -> None:
        self.scene.happens(Unclaimed(data.draw(st.sampled_from(self.some(TaskState.DISPATCHED))).id))

    @rule(really=st.integers(0, 9))
    def somebody_cancels(self, really: int) -> None:
        if really == 0:
            self.scene.happens(CancelRequested())

    @rule(really=st.integers(0, 9))
    def everything_restarts(self, really: int) -> None:
        if really == 0:
            self.scene.happens(Restarted())

    @invariant()
    def there_is_one_end_at_most(self) -> None:
        ends = [message for message in self.scene.told if isinstance(message, ENDS)]
        assert len(ends) == (self.scene.state in TERMINAL_RUN_STATES)

    @invariant()
    def an_end_is_the_end_of_every_task(self) -> None:
        if self.scene.state in TERMINAL_RUN_STATES:
            assert all(task.state in TERMINAL_TASK_STATES for task in self.scene.snapshot.tasks)
            assert [entry.state for entry in self.scene.entries if entry.subject == "run"][-1] == self.scene.state

    @invariant()
    def an_attempt_has_one_owner(self) -> None:
        for task in self.scene.snapshot.tasks:
            if task.nonce is not None:
                assert self.owners.setdefault((task.id, task.attempt), task.nonce) == task.nonce

    @invariant()
    def what_is_done_stays_done_and_is_the_owners(self) -> None:
        succeeded = {task.id for task in self.some(TaskState.SUCCEEDED)}
        assert self.done <= succeeded
        self.done = succeeded
        for task in self.some(TaskState.SUCCEEDED):
            assert all(f"/{task.attempt}-{task.nonce}/" in output.key or task.cached for output in task.outputs)

    @invariant()
    def a_pass_is_begun_when_all_that_it_reads_is_done(self) -> None:
        """Of several tasks of one pass the newest counts; called off is only what stood on a result that is gone."""
        newest = {task.name: task for task in self.scene.snapshot.tasks}
        for one in self.scene.run.plan.passes if self.scene.run.plan else ():
            if self.scene.state not in TERMINAL_RUN_STATES and self.scene.state is not RunState.CANCELING:
                reads = {one.source, *one.needs} - {ORIGINAL}
                done = all(name in newest and newest[name].state is TaskState.SUCCEEDED for name in reads)
                task = newest.get(one.name)
                waiting = task is not None and task.state in LIVE
                assert done or not waiting
                assert not done or (task is not None and task.state is not TaskState.CANCELED)

    @invariant()
    def the_state_is_the_earliest_unfinished_pass(self) -> None:
        plan = self.scene.run.plan
        if plan is not None and self.scene.state not in TERMINAL_RUN_STATES | {RunState.CANCELING}:
            newest = {task.name: task for task in self.scene.snapshot.tasks}
            done = {name for name, task in newest.items() if task.state is TaskState.SUCCEEDED}
            assert self.scene.state is STATE_OF_KIND[next(one.kind for one in plan.passes if one.name not in done)]

    @invariant()
    def nobody_is_tried_more_often_than_allowed(self) -> None:
        for task in self.scene.snapshot.tasks:
            assert task.charged <= self.scene.policy.retry_tries
            assert task.crashes <= self.scene.policy.crash_tries

    def teardown(self) -> None:
        """When every worker does well from now on, every run comes to its end."""
        for step in range(100):
            unfinished = [task for task in self.scene.snapshot.tasks if task.state not in TERMINAL_TASK_STATES]
            if not unfinished:
                break
            task = unfinished[0]
            self.scene.later(400)
            if task.state is TaskState.RUNNING:
                self.scene.happens(LeaseExpired(task.id))
            else:
                self.scene.does(task.name, nonce=f"end-{step}")
        assert self.scene.state in TERMINAL_RUN_STATES
        self.there_is_one_end_at_most()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
