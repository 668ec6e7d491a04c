"""The database, as one small port per aggregate; all ports of one transaction are committed or dropped together.

Every method of a transaction may raise ``StoreUnavailable``. Within one, what was written is read. Times are aware UTC.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from moviola.api_keys import ApiKey
from moviola.ports.message_bus import Posting
from moviola.video import HistoryEntry, KeyId, Run, RunId, Status, Task, TaskId, Tenant, Video, VideoId, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFilter:
    """Which videos of one tenant; every part that is given must match. Deleted ones never do.

    ``text`` is looked for in title and file name, whatever the case.
    """

    tenant: Tenant
    status: Status | None = None
    tag: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class VideoWithRuns:
    """A video, its latest run, and the newest of its runs that is ready."""

    video: Video
    latest: Run | None
    serving: Run | None


class Videos(Protocol):
    """Written by the API only."""

    async def add(self, video: Video) -> None: ...

    async def get(self, tenant: Tenant, video_id: VideoId) -> VideoWithRuns | None:
        """None where the tenant has no such video; a deleted one is returned, as the tombstone that it is."""

    async def save(self, video: Video) -> None:
        """Replace the row whose version is ``video.version``; the row's becomes one more. ``StaleVersion``."""

    async def page(self, wanted: VideoFilter, *, limit: int, before: VideoId | None = None) -> Sequence[VideoWithRuns]:
        """The newest first, at most *limit*, only those older than the video *before*."""

    async def without_run(self, *, limit: int) -> Sequence[Video]:
        """Uploaded videos of all tenants whose run, the first or one that was asked for, is still to be made.

        The oldest first; a run that is added is the one that was asked for.
        """

    async def to_cancel(self, *, limit: int) -> Sequence[Video]:
        """Videos whose cancel was asked for after their latest, unfinished run was made."""

    async def to_purge(self, *, limit: int) -> Sequence[Video]:
        """Deleted videos whose objects have not been purged."""

    async def purged(self, video_id: VideoId, *, at: datetime) -> None:
        """Remember (in a table of the orchestrator's own) that nothing is left; runs, tasks and history go too."""


class Runs(Protocol):
    """Written by the orchestrator only."""

    async def add(self, run: Run) -> None:
        """It becomes the video's latest. ``StaleVersion`` where the video already has a run of that number."""

    async def lock(self, run_id: RunId) -> Run | None:
        """The run, which nobody else can lock until this transaction ends."""

    async def get(self, run_id: RunId) -> Run | None: ...

    async def latest(self, video_id: VideoId) -> Run | None: ...

    async def of_video(self, video_id: VideoId) -> Sequence[Run]:
        """In the order of their numbers."""

    async def save(self, run: Run) -> None:
        """Replace the row whose version is ``run.version``; the row's becomes one more. ``StaleVersion``.

        A run saved as ``ready`` becomes the one that serves its video.
        """


class Tasks(Protocol):
    """Written by the orchestrator only, always under the lock of the task's run."""

    async def add(self, tasks: Sequence[Task]) -> None:
        """Each gets its turn among those that wait: see `waiting`."""

    async def save(self, tasks: Sequence[Task]) -> None: ...

    async def of_run(self, run_id: RunId) -> Sequence[Task]:
        """In the order in which they were added."""

    async def renew(self, task_id: TaskId, *, attempt: int, nonce: str, lease_until: datetime) -> bool:
        """Move the lease on without the run's lock; False, and nothing done, unless that owner is running it now."""

    async def waiting(self, kinds: Collection[str], *, now: datetime, limit: int) -> Sequence[Task]:
        """Pending tasks of those kinds whose ``not_before`` has passed: of each kind higher priority first.

        Within a kind and a priority the API keys of a tenant, and the tenants, share the dispatches by cost: of any two
        that have something waiting none is ahead by more than the largest tasks of both. Nothing waits for ever.
        """

    async def unclaimed(self) -> Mapping[str, int]:
        """How many tasks are dispatched and not yet started, by kind; kinds with none are left out."""

    async def ahead(self, task: Task, *, now: datetime) -> int:
        """How many of its kind are served before *task*: those on the bus already, and in the order of ``waiting``.

        For one that is on the bus, those of them that were dispatched earlier.
        """

    async def overdue(self, *, now: datetime, dispatched_before: datetime, limit: int) -> Sequence[Task]:
        """Running tasks whose lease or deadline has passed, and tasks dispatched before that time and never started.

        Rows that another transaction has locked are passed over.
        """

    async def running(self) -> Sequence[Task]:
        """All that are dispatched or running: what a process that restarts alone has lost."""


class History(Protocol):
    """Append-only."""

    async def append(self, entries: Sequence[HistoryEntry]) -> None: ...

    async def of_video(self, video_id: VideoId, *, after: str | None = None) -> Sequence[HistoryEntry]:
        """In the order in which they were appended; only those whose id is behind *after*."""

    async def page(
        self,
        video_id: VideoId,
        *,
        limit: int,
        run_id: RunId | None = None,
        until: datetime | None = None,
        after: str | None = None,
    ) -> Sequence[HistoryEntry]:
        """At most *limit*, in order: of one run, not later than *until*, behind the entry *after*, where given."""


class Outbox(Protocol):
    """Messages to be published, written in the transaction that causes them."""

    async def add(self, postings: Sequence[Posting]) -> None:
        """The envelope's id is the row's id. Waiting relays are woken when the transaction commits."""

    async def claim(self, *, limit: int) -> Sequence[Posting]:
        """The oldest unsent, locked until the transaction ends; another relay's are passed over."""

    async def sent(self, ids: Sequence[str]) -> None:
        """They are on the bus: forget them."""

    async def pending(self) -> tuple[int, datetime | None]:
        """How many are unsent, and when the oldest was written."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request with an idempotency key; ``status`` None while it is being worked on."""

    fingerprint: str
    video_id: VideoId
    status: int | None = None
    run_id: RunId | None = None


class IdempotencyKeys(Protocol):
    """Kept for 24 hours. Written by the API only."""

    async def begin(
        self,
        tenant: Tenant,
        key: str,
        *,
        fingerprint: str,
        video_id: VideoId,
        now: datetime,
        run_id: RunId | None = None,
    ) -> Answer | None:
        """Take the key; or, where it is taken and younger than 24 h, its present holder's answer, unchanged."""

    async def finish(self, tenant: Tenant, key: str, *, fingerprint: str, status: int) -> None:
        """Note the answer, and the fingerprint that was known only at the end."""

    async def abandon(self, tenant: Tenant, key: str) -> None:
        """Give the key back: the request failed and may be repeated. No key is not an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWatermark:
    """An image under a name, for recipes to call by its id; ``content_type`` is what its first bytes say.

    One that came along with a video has no name and is not ``listed``: it is known for its bytes only.
    """

    id: str
    tenant: Tenant
    name: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime
    listed: bool = True


class Watermarks(Protocol):
    """The images that have a name. Written by the API only."""

    async def add(self, watermark: StoredWatermark) -> None: ...

    async def get(self, tenant: Tenant, watermark_id: str) -> StoredWatermark | None: ...

    async def page(self, tenant: Tenant, *, limit: int, before: str | None = None) -> Sequence[StoredWatermark]:
        """The listed ones, the newest first, at most *limit*, only those older than the one with the id *before*."""

    async def remove(self, tenant: Tenant, watermark_id: str) -> None:
        """Forget it; none is not an error."""

    async def is_awaited(self, tenant: Tenant, watermark_id: str) -> bool:
        """Whether a video that no run was made for yet, or a run that has not ended, has it in its recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDeadLetter:
    """A message that could not be handled, or that nobody takes (``queue`` is then ``moviola.unrouted``).

    ``queue`` and ``reason`` say where and why it died, ``exchange`` and ``key`` where it had been published. ``size``
    is that of the whole body, of which ``body`` may be a part only. ``user_id`` is who published it, where the broker
    has validated that. ``digest`` tells two deliveries of one dead letter from two dead letters. ``times``: how often
    it had been redriven when it died.
    """

    id: str
    tenant: Tenant
    digest: str
    message_id: str
    type: str
    queue: str
    reason: str
    exchange: str
    key: str
    body: bytes
    size: int
    headers: Mapping[str, str]
    correlation_id: str | None = None
    user_id: str | None = None
    count: int = 1
    times: int = 0
    died_at: datetime
    kept_at: datetime
    redriven_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """Which of one tenant's dead letters; ``redriven``: those that were sent again, instead of those that wait."""

    tenant: Tenant
    queue: str | None = None
    type: str | None = None
    reason: str | None = None
    correlation_id: str | None = None
    redriven: bool = False


class DeadLetters(Protocol):
    """What was drained from the bus. Written by the API only."""

    async def add(self, letter: StoredDeadLetter) -> bool:
        """False, and nothing written, where one of the same digest is there."""

    async def get(self, tenant: Tenant | None, letter_id: str) -> StoredDeadLetter | None:
        """Of that tenant; of any, for None."""

    async def page(
        self, wanted: DeadLetterFilter, *, limit: int, before: str | None = None
    ) -> Sequence[StoredDeadLetter]:
        """The newest first, at most *limit*, only those older than the one with the id *before*."""

    async def redriven(self, tenant: Tenant, letter_id: str, *, at: datetime) -> bool:
        """Mark it as sent again; False, and nothing done, where it is gone or somebody has done that."""

    async def remove(self, tenant: Tenant, letter_id: str) -> bool:
        """Forget it; whether it was there."""

    async def forget(self, *, redriven_before: datetime) -> int:
        """Forget, of all tenants, those that were sent again before that time; how many."""

    async def waiting(self) -> Mapping[str, int]:
        """How many of all tenants' were not sent again, by queue; queues with none are left out."""


class WebhookSecret(BaseModel):
    """A key that deliveries are signed with; ``until`` None: until it is rotated."""

    model_config = ConfigDict(frozen=True)

    value: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An endpoint that is told of events. ``secrets``: the newest first.

    ``failing_since``: no attempt has gone well from then on. ``disabled_reason`` says why it is not enabled, where
    nobody has asked for that.
    """

    id: str
    tenant: Tenant
    url: str
    events: tuple[str, ...]
    description: str = ""
    secrets: tuple[WebhookSecret, ...]
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
    version: int = 1


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One event for one endpoint; ``event_id`` is what the receiver dedupes by, the same at every attempt.

    What is said of an answer (``status``, ``seconds``, ``answer``: its beginning) or of its absence (``error``) is that
    of the last attempt. While it is pending it is due at ``not_before``.
    """

    id: str
    webhook_id: str
    tenant: Tenant
    event_id: str
    type: str
    payload: bytes
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    not_before: datetime
    created_at: datetime
    attempted_at: datetime | None = None
    finished_at: datetime | None = None
    status: int | None = None
    seconds: float | None = None
    answer: str | None = None
    error: str | None = None


class Webhooks(Protocol):
    """Endpoints. Written by the API, but for how they fare."""

    async def add(self, webhook: Webhook) -> None: ...

    async def get(self, tenant: Tenant, webhook_id: str) -> Webhook | None: ...

    async def of_tenant(self, tenant: Tenant) -> Sequence[Webhook]:
        """The oldest first."""

    async def listening(self, tenants: Collection[Tenant]) -> Sequence[Webhook]:
        """Those of the tenants that are enabled; they can't be removed until this transaction ends."""

    async def save(self, webhook: Webhook) -> None:
        """Replace the row whose version is ``webhook.version``; the row's becomes one more. ``StaleVersion``."""

    async def remove(self, tenant: Tenant, webhook_id: str) -> bool:
        """With its deliveries; whether it was there."""

    async def fared(
        self, webhook_id: str, *, well: bool, at: datetime, failing_before: datetime, gone: bool = False
    ) -> bool:
        """Note how an attempt went; it is disabled where all have failed since before that time, or it is *gone*.

        Whether this disabled it.
        """


class WebhookDeliveries(Protocol):
    """Events on their way to endpoints. Added and sent by the orchestrator; the API adds pings and asks for more."""

    async def add(self, deliveries: Sequence[WebhookDelivery]) -> None:
        """Where the endpoint has one for the event already, nothing is written."""

    async def get(self, webhook_id: str, delivery_id: str) -> WebhookDelivery | None: ...

    async def page(self, webhook_id: str, *, limit: int, before: str | None = None) -> Sequence[WebhookDelivery]:
        """The newest first, at most *limit*, only those older than the one with the id *before*."""

    async def due(self, *, now: datetime) -> bool:
        """Whether some enabled endpoint's is."""

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[tuple[WebhookDelivery, Webhook]]:
        """The longest due of enabled endpoints, with one attempt more, and not due again before *until*.

        Another sender's are passed over.
        """

    async def save(self, delivery: WebhookDelivery) -> None: ...

    async def forget(self, *, finished_before: datetime) -> int:
        """Forget what ended before that time; how many."""


@dataclass(frozen=True, slots=True)
class Released:
    """A purged video of which some objects may be nobody's now; ``token`` is another one each time."""

    video_id: VideoId
    tenant: Tenant
    token: str


class Results(Protocol):
    """The step cache: finished tasks by what their results are known by (``Task.result_key``), within a tenant.

    A video whose task has another one's result (``Task.origin``) shares the objects. Written by the orchestrator only.
    """

    async def find(self, tenant: Tenant, keys: Collection[str]) -> Mapping[str, Task]:
        """For each key that has a result, the oldest task that has it."""

    async def take(self, tenant: Tenant, keys: Collection[str]) -> Mapping[str, Task]:
        """The same, and ``withdraw`` of that task waits until this transaction ends; one under way is passed over."""

    async def forget(self, tenant: Tenant, keys: Collection[str]) -> None:
        """No task has a result of these keys any more."""

    async def withdraw(self, video_id: VideoId) -> None:
        """From the commit on nobody can take the results of that video's tasks; who has taken some shares them."""

    async def shared(self, video_id: VideoId) -> Sequence[str]:
        """The keys of the video's objects that tasks of other videos share."""

    async def released(self, *, limit: int) -> Sequence[Released]:
        """Purged videos of which one that shared their objects was purged since they were last collected."""

    async def collected(self, one: Released) -> None:
        """Its objects were looked over; nothing where somebody more has let go of them since it was read."""


class ApiKeys(Protocol):
    """Who may ask. Written by the API and by the operator."""

    async def add(self, key: ApiKey) -> None: ...

    async def by_digest(self, sha256: str) -> ApiKey | None:
        """Of any tenant; one that has expired or was revoked, too."""

    async def any(self) -> bool:
        """Whether there ever was a key, be it revoked."""

    async def all(self, tenant: Tenant | None = None) -> Sequence[ApiKey]:
        """Of the tenant, or of all; the newest first."""

    async def revoke(self, tenant: Tenant, key_id: KeyId, *, at: datetime) -> bool:
        """Whether the tenant has such a key; one that was revoked stays revoked as of then."""

    async def used(self, key_id: KeyId, *, at: datetime) -> None: ...


class Workers(Protocol):
    """Who announced itself. Written by the orchestrator only."""

    async def seen(self, worker: Worker) -> None:
        """What it says of itself; its strikes and its rest stay."""

    async def get(self, worker_id: str) -> Worker | None: ...

    async def strike(self, worker_id: str, *, task_id: TaskId) -> int:
        """Count that it failed that task; how many in a row that makes. 0, and nothing counted, for the same again."""

    async def rest(self, worker_id: str, *, until: datetime) -> None: ...

    async def clear(self, worker_id: str) -> bool:
        """Forget its strikes and end its rest; whether there was any."""

    async def left(self, worker_id: str) -> None: ...

    async def alive(self, *, since: datetime) -> Sequence[Worker]: ...


class Transaction(Protocol):
    """The ports of one transaction."""

    @property
    def videos(self) -> Videos: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def history(self) -> History: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...

    @property
    def watermarks(self) -> Watermarks: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    @property
    def webhooks(self) -> Webhooks: ...

    @property
    def webhook_deliveries(self) -> WebhookDeliveries: ...

    @property
    def results(self) -> Results: ...

    @property
    def api_keys(self) -> ApiKeys: ...

    @property
    def workers(self) -> Workers: ...


class VideoStore(Protocol):
    """The database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Read and write; commits on leaving, drops everything where the body raises.

        ``StoreUnavailable`` on leaving means that the commit may or may not have taken effect.
        """

    def snapshot(self) -> AbstractAsyncContextManager[Transaction]:
        """Read only: a consistent view that blocks nobody."""

    async def migrate(self) -> None:
        """Bring the schema to this version, under a lock: any number of processes may call it at once."""

    async def outbox_written(self, *, timeout: float) -> bool:
        """Wait until somebody, perhaps in another process, commits to the outbox, or *timeout* seconds pass.

        A hint: it may miss one, so callers look again after the timeout as well.
        """

    async def check(self) -> None:
        """Return if the database answers and has this version's schema; else ``StoreUnavailable``."""

    def connected_since(self) -> datetime | None:
        """Since when the database has answered without a failure; None while it does not. Never raises."""
