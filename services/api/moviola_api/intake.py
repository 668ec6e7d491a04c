"""How a video enters, whatever way it came: one row and one event, in one transaction."""

import re
import unicodedata
from dataclasses import dataclass

from moviola.errors import StoreUnavailable
from moviola.messages import VideoUploaded
from moviola.ports.message_bus import post
from moviola.ports.object_storage import StoredObject
from moviola.ports.video_store import Answer, Transaction, VideoStore
from moviola.video import KeyId, Tenant, Video, VideoId, VideoState, utc_now
from moviola_api.wishes import Wishes

ACCEPTED = 202
MAX_FILENAME = 255


async def register(transaction: Transaction, video: Video, *, submission: str | None = None) -> None:
    """Add *video* and post ``video.uploaded``: both happen, or neither."""
    await transaction.videos.add(video)
    uploaded = VideoUploaded(video_id=video.id, tenant=video.tenant, submission=submission)
    await transaction.outbox.add([post(uploaded)])


@dataclass(frozen=True, slots=True)
class Once:
    """A request that must have one effect however often it is sent; ``fingerprint`` is of what it asks for.

    ``submission`` is its ``message_id``, where it came over the bus.
    """

    key: str
    fingerprint: str
    submission: str | None = None


async def register_once(transaction: Transaction, video: Video, once: Once | None) -> Answer | None:
    """Register *video*, or return the answer of the request that took the key before, and register nothing.

    The key, the video and its event are written together, so that a crash leaves no key that bars a repetition.
    """
    if once is not None:
        taken = await transaction.idempotency_keys.begin(
            video.tenant, once.key, fingerprint=once.fingerprint, video_id=video.id, now=utc_now()
        )
        if taken is not None:
            return taken
        await transaction.idempotency_keys.finish(video.tenant, once.key, fingerprint=once.fingerprint, status=ACCEPTED)
    await register(transaction, video, submission=once.submission if once is not None else None)
    return None


class CommitUnknown(StoreUnavailable):
    """The database went away at the commit: the video may be there, so what it points at must stay."""


async def enter(store: VideoStore, video: Video, once: Once | None) -> Answer | None:
    """``register_once`` in a transaction of its own; an answer lost at the commit is looked for before giving up.

    ``CommitUnknown`` where it can't be found out; any other error means that nothing was written.
    """
    written = False
    try:
        async with store.transaction() as transaction:
            taken = await register_once(transaction, video, once)
            written = taken is None
    except StoreUnavailable as error:
        if not written:
            raise
        if await _is_there(store, video):
            return None
        raise CommitUnknown("The database did not answer whether the video was entered.") from error
    return taken


async def _is_there(store: VideoStore, video: Video) -> bool:
    try:
        async with store.snapshot() as transaction:
            return await transaction.videos.get(video.tenant, video.id) is not None
    except StoreUnavailable:
        return False


def new_video(
    video_id: VideoId,
    tenant: Tenant,
    *,
    filename: str,
    stored: StoredObject,
    wishes: Wishes,
    key_id: KeyId | None = None,
) -> Video:
    """The record of an uploaded video; without a title it has its file's name, without the suffix."""
    now = utc_now()
    name = tame_filename(filename)
    return Video(
        id=video_id,
        tenant=tenant,
        state=VideoState.UPLOADED,
        title=wishes.title or name.rpartition(".")[0] or name,
        filename=name,
        content_type="application/octet-stream",
        object_key=stored.key,
        object_etag=stored.etag,
        size=stored.size,
        sha256=stored.sha256,
        recipe=wishes.recipe,
        tags=wishes.tags,
        metadata=wishes.metadata,
        priority=wishes.priority,
        key_id=key_id,
        created_at=now,
        updated_at=now,
    )


def tame_filename(name: str) -> str:
    """The last part of a path, without control and direction characters, at most 255 characters; for showing only."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cs") and c not in _DIRECTION)
    return kept.strip()[:MAX_FILENAME] or "video"


# U+202E and its like make "gpj.exe" read "exe.jpg".
_DIRECTION = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
