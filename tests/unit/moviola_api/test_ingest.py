"""Videos announced on the bus."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from moviola.errors import StorageUnavailable
from moviola.messages import Message, VideoRejected, VideoUploaded
from moviola.ports.message_bus import Envelope, Posting
from moviola.settings import Settings
from moviola.topology import INGEST, Address
from moviola.video import DEFAULT_TENANT, new_id
from moviola_api import ingest
from moviola_api.incoming import incoming_object
from tests.unit.moviola_api.conftest import CLIP, Api, Document

KEY = "incoming/default/cam 1/clip.mp4"


async def put(api: Api, key: str = KEY, content: bytes = CLIP) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return (await api.parts.storage.put(key, chunks())).etag


async def submit(api: Api, body: str, *, id: str | None = None, type_name: str = "video.submitted") -> str:
    """As a producer outside does it: plain JSON."""
    envelope = Envelope(id=id or new_id(), type=type_name, body=body.encode())
    await api.parts.bus.publish([Posting(Address(INGEST, "video.submitted"), envelope)])
    return envelope.id


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what a consumer does; the database has no event to wait for across tasks."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def posted(api: Api, count: int) -> list[Message]:
    async def enough() -> bool:
        return len(await api.posted()) >= count

    await eventually(enough)
    return await api.posted()


async def letters(api: Api, count: int) -> list[Document]:
    """The dead letters, once there are so many."""

    async def enough() -> bool:
        return len((await api.get("/v1/dead-letters"))["data"]) >= count

    await eventually(enough)
    return list((await api.get("/v1/dead-letters"))["data"])


async def test_a_submission_becomes_a_video(api: Api) -> None:
    etag = await put(api)
    body = f'{{"object": {{"key": "{KEY}", "etag": "{etag}"}}, "tags": ["a"], "recipe": null, "future": 1}}'
    message_id = await submit(api, body)

    (event,) = await posted(api, 1)

    assert isinstance(event, VideoUploaded)
    assert event.submission == message_id
    video = await api.video(event.video_id)
    assert (video.title, video.filename, video.tags, video.recipe) == ("clip", "clip.mp4", ("a",), None)
    assert (video.object_key, video.object_etag, video.size) == (KEY, etag, len(CLIP))


async def test_a_submission_that_is_delivered_twice_is_one_video(api: Api) -> None:
    await put(api)
    body = f'{{"object": {{"key": "{KEY}"}}}}'
    message_id = await submit(api, body)
    await posted(api, 1)
    await submit(api, body, id=message_id)
    await submit(api, body)

    await posted(api, 2)

    assert len((await api.get("/v1/videos"))["data"]) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"object": {"key": "incoming/default/none.mp4"}}', "object.not_found"),
        (f'{{"object": {{"key": "{KEY}", "etag": "other"}}}}', "object.changed"),
        ('{"object": {"key": "originals/default/x/original"}}', "object.key_not_allowed"),
        (f'{{"object": {{"key": "{KEY}"}}, "recipe": "unheard-of"}}', "recipe.unknown"),
        (f'{{"object": {{"key": "{KEY}"}}, "recipe": {{"steps": [{{"step": "dance"}}]}}}}', "recipe.invalid"),
        ('{"v": 2, "object": {"key": "x"}}', "message.malformed"),
        ("{}", "message.malformed"),
        ("not json", "message.malformed"),
    ],
)
async def test_a_bad_submission_is_answered_and_goes_to_the_dead_letters(api: Api, body: str, code: str) -> None:
    await put(api)
    message_id = await submit(api, body)

    (event,) = await posted(api, 1)

    assert isinstance(event, VideoRejected)
    assert (event.submission, event.code, event.tenant) == (message_id, code, DEFAULT_TENANT)
    assert event.message
    [letter] = await letters(api, 1)
    assert (letter["message_id"], letter["queue"], letter["reason"]) == (message_id, INGEST, "rejected")
    assert (await api.get("/v1/videos"))["data"] == []


@pytest.mark.parametrize(("sent", "answered"), [("order 7", "order 7"), ("nul\0", None)])
async def test_the_answer_has_the_producers_correlation_id_where_that_can_be_stored(
    api: Api, sent: str, answered: str | None
) -> None:
    envelope = Envelope(id=new_id(), type="video.submitted", body=b"{}", correlation_id=sent)
    await api.parts.bus.publish([Posting(Address(INGEST, "video.submitted"), envelope)])
    await posted(api, 1)

    async with api.parts.store.transaction() as transaction:
        [answer] = await transaction.outbox.claim(limit=9)
    assert answer.envelope.correlation_id == answered


async def test_a_message_of_another_type_has_no_business_here(api: Api) -> None:
    await submit(api, f'{{"video_id": "{new_id()}", "tenant": "default"}}', type_name="video.uploaded")

    (event,) = await posted(api, 1)

    assert isinstance(event, VideoRejected)
    assert event.code == "message.malformed"


async def test_a_message_id_that_is_used_for_another_submission_is_refused(api: Api) -> None:
    await put(api)
    message_id = await submit(api, f'{{"object": {{"key": "{KEY}"}}}}')
    await posted(api, 1)
    await submit(api, f'{{"object": {{"key": "{KEY}"}}, "title": "other"}}', id=message_id)

    event = (await posted(api, 2))[1]

    assert isinstance(event, VideoRejected)
    assert event.code == "idempotency.mismatch"


async def test_a_submission_waits_while_the_storage_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "FIRST_PAUSE_SECONDS", 0.01)
    await put(api)
    storage = type(api.parts.storage)
    stat, tries = storage.stat, 0

    async def away_at_first(own: object, key: str) -> object:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise StorageUnavailable("It is away.")
        return await stat(own, key)  # type: ignore[arg-type] # the storage itself

    monkeypatch.setattr(storage, "stat", away_at_first)
    await submit(api, f'{{"object": {{"key": "{KEY}"}}}}')

    (event,) = await posted(api, 1)

    assert isinstance(event, VideoUploaded)
    assert tries == 4


async def test_a_defect_does_not_stop_the_consumer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(api)
    broken = True

    async def at_first(*arguments: object, **named: object) -> object:
        nonlocal broken
        if broken:
            broken = False
            raise ZeroDivisionError
        return await incoming_object(*arguments, **named)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr("moviola_api.ingest.incoming_object", at_first)
    await submit(api, f'{{"object": {{"key": "{KEY}"}}}}')

    (event,) = await posted(api, 1)

    assert isinstance(event, VideoUploaded)


def test_the_tenant_is_that_of_the_user_whom_the_broker_validated() -> None:
    settings = Settings(ingest_tenants={"camera-team": "acme"})

    def tenant(user: str | None) -> str:
        return ingest.tenant_of(Envelope(id="1", type="x", body=b"", user_id=user), settings)

    assert (tenant("camera-team"), tenant("somebody"), tenant(None)) == ("acme", "default", "default")
