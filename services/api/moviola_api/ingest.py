"""Videos announced on ``moviola.ingest``: each is entered once, or answered with ``video.rejected``.

A message is decided (ack, or reject to the dead letters) only when the database knows the outcome. While a part that
we stand on is away it stays undecided and is tried again, with growing pauses.
"""

import asyncio
import hashlib

import structlog

from moviola.errors import InvalidInput, MalformedMessage, Refused, StaleVersion, Unavailable
from moviola.messages import VideoRejected, VideoSubmitted
from moviola.ports.message_bus import Delivery, Envelope, post
from moviola.settings import Settings
from moviola.telemetry import about
from moviola.topology import INGEST
from moviola.video import DEFAULT_TENANT, Tenant, VideoId, new_id
from moviola_api import intake, marks, redriving
from moviola_api.caption_parts import check_captions
from moviola_api.context import Context
from moviola_api.idempotency import fingerprint, refuse_other
from moviola_api.incoming import incoming_object
from moviola_api.wishes import wishes_from_json

log = structlog.get_logger(__name__)

PREFETCH = 16
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
MAX_MESSAGE_ID = 150


class Ingest:
    """The consumer; one message at a time, since all that it does is two or three short queries."""

    def __init__(self, context: Context) -> None:
        self._bus = context.bus
        self._store = context.store
        self._storage = context.storage
        self._settings = context.settings
        self._metrics = context.metrics

    async def run(self) -> None:
        """Consume until cancelled; undecided messages go back to the queue then."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._bus.consume(INGEST, prefetch=PREFETCH) as deliveries:
                    pause = FIRST_PAUSE_SECONDS
                    async for delivery in deliveries:
                        await self._handle(delivery)
            except Unavailable as error:
                log.warning("ingest waits for the bus", reason=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _handle(self, delivery: Delivery) -> None:
        pause = FIRST_PAUSE_SECONDS
        with about(None, submission=delivery.envelope.id):
            while True:
                try:
                    await self._decide(delivery)
                except (Unavailable, StaleVersion) as error:
                    log.warning("submission waits", reason=str(error), seconds=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                except Exception:
                    # A defect of ours: another replica, or a later version, may do better; the bus counts the tries.
                    log.exception("submission could not be handled")
                    await delivery.release()
                    return
                else:
                    return

    async def _decide(self, delivery: Delivery) -> None:
        tenant = tenant_of(await redriving.as_published_first(self._store, delivery.envelope), self._settings)
        try:
            video_id = await self._enter(delivery.envelope, tenant)
        except (Refused, MalformedMessage) as error:
            await self._reject(delivery.envelope, tenant, error)
            await delivery.reject()
            self._metrics.uploads.labels("bus", "rejected").inc()
        else:
            log.info("submission entered", video=video_id)
            await delivery.ack()
            self._metrics.uploads.labels("bus", "accepted").inc()

    async def _enter(self, envelope: Envelope, tenant: Tenant) -> VideoId:
        """The video of the submission, which may have been entered by an earlier delivery of it."""
        message = envelope.message()
        if not isinstance(message, VideoSubmitted):
            raise MalformedMessage(f"A {envelope.type} has no business on {INGEST}.")
        wishes = wishes_from_json({**message.model_dump(exclude={"v", "object"}), "title": message.title or ""})
        once = _once(envelope, message)
        stored = await incoming_object(
            self._storage,
            tenant,
            message.object.key,
            etag=message.object.etag,
            max_bytes=self._settings.max_upload_bytes,
        )
        await marks.check_marks(self._storage, tenant, wishes.recipe, part_sent=False)
        check_captions(wishes.recipe, {})
        filename = message.object.key.rpartition("/")[2]
        video = intake.new_video(VideoId(new_id()), tenant, filename=filename, stored=stored, wishes=wishes)
        holder = await intake.enter(self._store, video, once)
        return refuse_other(holder, once.fingerprint) if holder is not None and once is not None else video.id

    async def _reject(self, envelope: Envelope, tenant: Tenant, error: Refused | MalformedMessage) -> None:
        code = error.code if isinstance(error, Refused) else "message.malformed"
        log.info("submission rejected", code=code, reason=str(error))
        rejected = VideoRejected(tenant=tenant, submission=envelope.id, code=code, message=_why(error))
        async with self._store.transaction() as transaction:
            await transaction.outbox.add([post(rejected, correlation_id=_tame(envelope.correlation_id))])


def _tame(text: str | None) -> str | None:
    """A producer's correlation id comes back with the answer, unless the database could not hold it."""
    return text if text is not None and text.isprintable() else None


def _why(error: Refused | MalformedMessage) -> str:
    if isinstance(error, InvalidInput) and error.errors:
        return "; ".join(f"{one.pointer}: {one.message}" for one in error.errors)
    return str(error)


def _once(envelope: Envelope, message: VideoSubmitted) -> intake.Once | None:
    """The producer's ``message_id`` as an idempotency key; without one every delivery is a submission of its own."""
    if not envelope.id:
        return None
    name = envelope.id if len(envelope.id) <= MAX_MESSAGE_ID else hashlib.sha256(envelope.id.encode()).hexdigest()
    return intake.Once(f"bus:{name}", fingerprint(message=message.model_dump(mode="json")), submission=envelope.id)


def tenant_of(envelope: Envelope, settings: Settings) -> Tenant:
    """Whose submission it is: by the user that the broker validated, never by anything in the message."""
    return Tenant(settings.ingest_tenants.get(envelope.user_id or "", DEFAULT_TENANT))
