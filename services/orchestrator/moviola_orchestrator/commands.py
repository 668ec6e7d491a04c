"""Build the command for a task: all that a worker needs, since it can ask nobody."""

from collections.abc import Iterator, Sequence

from moviola import object_keys
from moviola.messages import COMMANDS, ObjectRef, TaskCommand
from moviola.plan import ORIGINAL, Pass, edit_and_ladder
from moviola.video import Run, Task, Video
from moviola_orchestrator.reuse import pass_of


def command_for(task: Task, run: Run, tasks: Sequence[Task], video: Video, *, lease_seconds: float) -> TaskCommand:
    """The command for a dispatched *task*; *tasks* are all of the run's, those it reads from among them."""
    one = pass_of(run, task)
    command = next(model for kind, model in COMMANDS.items() if kind == task.kind)
    return command.model_validate(
        {
            "task_id": task.id,
            "run_id": run.id,
            "video_id": run.video_id,
            "tenant": run.tenant,
            "name": task.name,
            "attempt": task.attempt,
            "source": _source(one, tasks, video),
            "resources": dict(_resources(one, run, tasks)),
            "output_prefix": object_keys.outputs_of(run.tenant, run.video_id, run.id, one),
            "files": one.files,
            "parameters": one.parameters,
            "lease_seconds": lease_seconds,
            "deadline": task.deadline,
        }
    )


def _source(one: Pass, tasks: Sequence[Task], video: Video) -> ObjectRef:
    if one.source == ORIGINAL:
        return ObjectRef(key=video.object_key, etag=video.object_etag, size=video.size, sha256=video.sha256)
    return _made_by(one.source, tasks)


def _made_by(name: str, tasks: Sequence[Task]) -> ObjectRef:
    output = [task for task in tasks if task.name == name][-1].outputs[0]
    return ObjectRef(key=output.key, size=output.size, sha256=output.sha256)


def _resources(one: Pass, run: Run, tasks: Sequence[Task]) -> Iterator[tuple[str, ObjectRef]]:
    """What the passes made that it needs, the images that it lays over the picture, and its captions, as its
    parameters call them.
    """
    for name in one.needs:
        yield name, _made_by(name, tasks)
    for image in one.images:
        yield image, ObjectRef(key=object_keys.watermark(run.tenant, image))
    _, ladder = edit_and_ladder(one.parameters)
    for track in ladder.captions if ladder is not None else ():
        yield track.resource, ObjectRef(key=object_keys.captions(run.tenant, run.video_id, track.resource))
