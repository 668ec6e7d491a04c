"""One file through the whole pipeline, in a data directory that lives only for it.

The directory lies beside the output, so that the result can be moved there by linking it.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from moviola import object_keys
from moviola.captions import as_vtt
from moviola.infrastructure import Infrastructure, open_infrastructure
from moviola.messages import Message, TaskProgress, TaskSucceeded
from moviola.plan import HLS, MASTER, PROBE_PASS, Edit, Plan, edit_and_ladder, is_result
from moviola.ports.message_bus import Envelope, MessageBus
from moviola.settings import Settings
from moviola.telemetry import configure_logging
from moviola.topology import EVENTS
from moviola.video import (
    DEFAULT_TENANT,
    TERMINAL_RUN_STATES,
    OutputFile,
    Run,
    RunState,
    Video,
    VideoId,
    VideoState,
    new_id,
    utc_now,
)
from moviola_api.intake import register
from moviola_cli.effective_settings import effective_settings
from moviola_cli.embedded import run_pipeline
from moviola_cli.order import Order
from moviola_cli.outcome import VideoFailed
from moviola_cli.progress_display import ProgressDisplay, label, progress_display

# The bus may lose an event for a listener; the store is the truth.
_LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; ``seconds`` is how long it took."""

    order: Order
    run: Run
    seconds: float

    def sentence(self) -> str:
        """What was made, for a person, and what the plan warned of."""
        made = next((file for file in self.run.files if is_result(file.name)), None)
        plan = self.run.plan or Plan(passes=(), generations=0)
        edits = [one.parameters for one in plan.passes if isinstance(one.parameters, Edit)]
        what = f"{edits[-1].width}×{edits[-1].height}, {edits[-1].duration:.2f} s, " if edits else ""
        unsure = self.run.quality.warnings if self.run.quality else ()
        told = [*(one.message for one in plan.warnings), *(f"{one.sentence()}." for one in unsure)]
        package = list(self._package(plan))
        size = f"{made.size / 1e6:.1f} MB" if made is not None else "not made, since nothing is edited,"
        lines = [f"{self.order.output}: {what}{size} in {self.seconds:.1f} s"] if made or not package else []
        beside = (file for file in self.run.files if file != made and not file.name.startswith(f"{HLS}/"))
        stills = [str(place) for file in beside if (place := self.order.place_of(file.name))]
        return "\n".join([*lines, *package, *stills, *(f"warning: {one}" for one in told)])

    def _package(self, plan: Plan) -> Iterator[str]:
        """The HLS package, if there is one."""
        for one in plan.passes:
            _, ladder = edit_and_ladder(one.parameters)
            if ladder is not None and self.order.hls is not None:
                size = sum(file.size for file in self.run.files if file.name.startswith(f"{HLS}/"))
                heights = ", ".join(rung.name for rung in ladder.rungs)
                where = self.order.hls / MASTER.rpartition("/")[2]
                yield f"{where}: {heights}, {size / 1e6:.1f} MB in {self.seconds:.1f} s"

    def as_json(self) -> str:
        """One JSON document: the files with their paths, the facts of the input, the plan, and the time it took."""
        files = [
            {"name": one.name, "path": str(path), "size": one.size, "sha256": one.sha256}
            for one in self.run.files
            if (path := self.order.place_of(one.name)) is not None
        ]
        document = {
            "status": self.run.state.value,
            "seconds": round(self.seconds, 3),
            "files": files,
            "recipe": self.order.recipe.model_dump(mode="json", exclude_none=True),
            "plan": self.run.plan.model_dump(mode="json") if self.run.plan else None,
            "probe": self.run.probe.model_dump(mode="json") if self.run.probe else None,
            "quality": self.run.quality.model_dump(mode="json") if self.run.quality else None,
        }
        return json.dumps(document, indent=2, ensure_ascii=False)


async def run_order(order: Order) -> Result:
    """Carry *order* out; ``VideoFailed`` where the video fails. Whatever happens, nothing is left but the result."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".moviola-", dir=order.output.parent) as directory:
        settings = _private_settings(Path(directory))
        configure_logging(settings, "process")
        async with open_infrastructure(settings) as parts, _running(parts, settings):
            with progress_display() as display:
                video = await _submit(parts, order)
                run = await _watch(parts, video, display)
            for file in run.files:
                if (target := order.place_of(file.name)) is not None:
                    target.parent.mkdir(exist_ok=True)
                    await _fetch(parts, file, target)
    _raise_for_failure(run)
    return Result(order, run, time.monotonic() - begun)


def _private_settings(directory: Path) -> Settings:
    own = {"bus_url": "memory:", "database_url": "sqlite:", "storage_url": "file:", "cache_url": "memory:"}
    flags: dict[str, object] = {name: SecretStr(value) for name, value in own.items()}
    # Interrupted means interrupted: there is no next start at which a task could go on.
    flags |= {"data_dir": directory, "scratch_dir": directory / "scratch", "drain_seconds": 0.0}
    preset = {"log_level": "error", "worker_capacity": 2}
    return effective_settings(flags, preset=preset).settings


@asynccontextmanager
async def _running(parts: Infrastructure, settings: Settings) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    await parts.store.migrate()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_pipeline(parts, settings, stopping=stopping))
        yield
        stopping.set()


async def _submit(parts: Infrastructure, order: Order) -> Video:
    video_id, now = VideoId(new_id()), utc_now()
    stored = await parts.storage.upload(order.source, object_keys.original(DEFAULT_TENANT, video_id))
    for watermark_id, path in order.watermarks.items():
        await parts.storage.upload(path, object_keys.watermark(DEFAULT_TENANT, watermark_id))
    for captions_id, cues in order.captions.items():
        await parts.storage.put(object_keys.captions(DEFAULT_TENANT, video_id, captions_id), _once(as_vtt(cues)))
    video = Video(
        id=video_id,
        tenant=DEFAULT_TENANT,
        state=VideoState.UPLOADED,
        title=order.source.name,
        filename=order.source.name,
        content_type="application/octet-stream",
        object_key=stored.key,
        object_etag=stored.etag,
        size=stored.size,
        sha256=stored.sha256,
        recipe=order.recipe,
        created_at=now,
        updated_at=now,
    )
    async with parts.store.transaction() as transaction:
        await register(transaction, video)
    return video


async def _once(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def _watch(parts: Infrastructure, video: Video, display: ProgressDisplay) -> Run:
    """Show how it goes until the run has ended, and return it."""
    labels: dict[str, str] = {}
    async with _news(parts.bus) as news:
        while True:
            run = await _latest(parts, video)
            if run is not None:
                labels = labels or _labels(run, display)
                if run.state in TERMINAL_RUN_STATES:
                    return run
            await _show_until_change(news, labels, display)


@asynccontextmanager
async def _news(bus: MessageBus) -> AsyncIterator[asyncio.Queue[Message]]:
    news: asyncio.Queue[Message] = asyncio.Queue()

    # A queue can be waited for with a timeout; an iterator that was cancelled once may be at its end.
    async def fill(envelopes: AsyncIterator[Envelope]) -> None:
        async for envelope in envelopes:
            news.put_nowait(envelope.message())

    keys = ("video.*", TaskProgress.type, TaskSucceeded.type)
    async with bus.listen(EVENTS, keys) as envelopes, asyncio.TaskGroup() as group:
        filling = group.create_task(fill(envelopes))
        yield news
        filling.cancel()


async def _show_until_change(news: asyncio.Queue[Message], labels: Mapping[str, str], display: ProgressDisplay) -> None:
    """Show progress until something else is heard, or nothing for two seconds."""
    while True:
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                message = await news.get()
        except TimeoutError:
            return
        match message:
            case TaskProgress():
                display.update(labels.get(message.name, message.name), message.progress)
            case TaskSucceeded():
                display.update(labels.get(message.name, message.name), 1.0)
            case _:
                return


def _labels(run: Run, display: ProgressDisplay) -> dict[str, str]:
    """How each pass is called, once there is a plan; all of them are shown, the ones to come too."""
    if run.plan is None or run.recipe is None:
        return {}
    steps = run.recipe.steps
    labels = {one.name: label(one.name, [steps[index].step for index in one.covers]) for one in run.plan.passes}
    display.update(PROBE_PASS.name, 1.0)
    for name in labels.values():
        display.update(name, 0.0)
    return labels


async def _latest(parts: Infrastructure, video: Video) -> Run | None:
    async with parts.store.snapshot() as transaction:
        return await transaction.runs.latest(video.id)


def _raise_for_failure(run: Run) -> None:
    if run.failure is not None:
        raise VideoFailed(run.failure.code, run.failure.message)
    if run.state is not RunState.READY:
        raise VideoFailed("video.canceled", "The video was canceled.")


async def _fetch(parts: Infrastructure, file: OutputFile, target: Path) -> None:
    """Put the object at *target*, which is replaced whole or left as it was."""
    # A name in the same directory, so that the last move can't be a copy.
    fresh = target.with_name(f".{target.name}.{new_id()}")
    try:
        await parts.storage.download(file.key, fresh)
        os.chmod(fresh, 0o666 & ~_umask())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
