"""What the API answers, as a client reads it: unknown fields are ignored, and missing ones have their plain default."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from moviola.plan import Plan
from moviola.quality import Quality

ENDED = frozenset({"ready", "failed", "canceled"})


class Document(BaseModel):
    """Frozen; a newer server may say more than we know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepDocument(Document):
    """One step of the recipe, or the probing before it; ``pass`` names the pass that does it."""

    step: str
    state: str
    pass_name: str | None = Field(default=None, alias="pass")
    progress: float | None = None
    attempts: int | None = None
    cached: bool = False


class FileDocument(Document):
    """A result: ``name`` as in ``result.mp4``, ``size`` in bytes, ``sha256`` in hex."""

    name: str
    url: str | None = None
    size: int
    sha256: str
    content_type: str = "application/octet-stream"


class FailureDocument(Document):
    """Why a video failed; ``code`` is stable."""

    code: str
    step: str | None = None
    message: str


class OriginalDocument(Document):
    """What was uploaded."""

    filename: str | None = None
    size: int | None = None
    sha256: str | None = None
    probe: Mapping[str, JsonValue] | None = None


class RunDocument(Document):
    """One walk of a video through a plan; ``number`` counts a video's runs from 1."""

    id: str
    number: int
    state: str
    failure: FailureDocument | None = None
    serving: bool = False
    files: tuple[FileDocument, ...] = ()
    created_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class RunList(Document):
    """The newest first."""

    data: tuple[RunDocument, ...]


class VideoDocument(Document):
    """A video; ``status`` is coarse and stable, ``state`` fine and open; ``progress`` from 0 to 1, times in UTC."""

    id: str
    status: str
    state: str | None = None
    title: str = ""
    tags: tuple[str, ...] = ()
    progress: float | None = None
    eta_seconds: float | None = None
    plan: Plan | None = None
    steps: tuple[StepDocument, ...] = ()
    original: OriginalDocument | None = None
    files: tuple[FileDocument, ...] = ()
    quality: Quality | None = None
    failure: FailureDocument | None = None
    last_run: RunDocument | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether it is ready, failed or canceled."""
        return self.status in ENDED

    def over(self, run_id: str | None) -> bool:
        """Whether that run of it has ended; without one, whether the video has."""
        if run_id is None:
            return self.ended
        return self.last_run is not None and (self.last_run.ended or self.last_run.id != run_id)


class VideoPage(Document):
    """One page of a list; ``next_cursor`` asks for the one behind it."""

    data: tuple[VideoDocument, ...]
    next_cursor: str | None = None


class EntryDocument(Document):
    """One transition; ``subject`` is ``run`` or the name of a pass."""

    id: str
    run_id: str
    at: datetime
    subject: str
    previous: str | None = None
    state: str
    event: str = ""
    cause: str = ""
    worker: str | None = None
    attempt: int | None = None


class HistoryPage(Document):
    """One page of a history."""

    data: tuple[EntryDocument, ...]
    next_cursor: str | None = None


class WhyDocument(Document):
    """Why one pass is where it is; ``sentence`` says it."""

    pass_name: str = Field(alias="pass")
    state: str
    reason: str
    sentence: str
    position: int | None = None


class ExplanationDocument(Document):
    """Why a video is where it is; ``reason`` is a stable code, ``advice`` what can be done about it."""

    video_id: str
    run_id: str | None = None
    status: str
    state: str
    since: datetime
    reason: str
    sentence: str
    advice: str | None = None
    passes: tuple[WhyDocument, ...] = ()


class LetterDocument(Document):
    """A dead letter; ``headers``, ``encoding`` and ``body`` only where one was asked for."""

    id: str
    message_id: str = ""
    type: str
    queue: str
    reason: str
    exchange: str = ""
    key: str = ""
    size: int = 0
    truncated: bool = False
    count: int = 1
    times_redriven: int = 0
    correlation_id: str | None = None
    user_id: str | None = None
    died_at: datetime
    redriven_at: datetime | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)
    encoding: str | None = None
    body: str | None = None


class LetterPage(Document):
    """One page of dead letters."""

    data: tuple[LetterDocument, ...]
    next_cursor: str | None = None


class RedrivenDocument(Document):
    """What became, or would become, of one letter."""

    id: str
    type: str
    exchange: str
    key: str
    outcome: str


class RedrivenPage(Document):
    """``more``: others fit too; ask again."""

    dry_run: bool = False
    data: tuple[RedrivenDocument, ...]
    more: bool = False


class DiscardedDocument(Document):
    discarded: int
    more: bool = False


class FieldProblem(Document):
    """One bad field, by its JSON pointer."""

    pointer: str
    detail: str = ""


class Problem(Document):
    """An RFC 9457 problem document; ``code`` is stable."""

    title: str = ""
    detail: str = ""
    code: str = "http.problem"
    errors: tuple[FieldProblem, ...] = ()
