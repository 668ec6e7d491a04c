"""Dead letters: drained into the table, looked at, sent again, thrown away."""

from dataclasses import replace

import pytest

from moviola.messages import VideoRejected, VideoUploaded
from moviola.ports.message_bus import Envelope, Posting
from moviola.ports.video_store import DeadLetterFilter
from moviola.settings import Settings
from moviola.topology import DEAD, INGEST, TASKS, UNROUTED, Address, task_queue
from moviola.video import Tenant, new_id
from moviola_api.draining import MAX_BODY
from moviola_api.redriving import redrive
from tests.unit.moviola_api.conftest import Api, Document
from tests.unit.moviola_api.test_ingest import KEY, eventually, letters, posted, put, submit

TRIM = task_queue("trim")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"ingest_tenants": {"camera": "default", "acme-user": "acme"}})


async def die(api: Api, *, body: bytes = b'{"a": 1}', id: str | None = None, **fields: object) -> Document:
    """A command that a worker rejects; the letter that comes of it."""
    before = len((await api.get("/v1/dead-letters"))["data"])
    envelope = replace(Envelope(id=id or new_id(), type="task.trim", body=body), **fields)  # type: ignore[arg-type]  # the tests' own
    await api.parts.bus.publish([Posting(Address(TASKS, "trim"), envelope)])
    await (await api.parts.bus.take([TRIM])).reject()
    return (await letters(api, before + 1))[0]


async def act(api: Api, path: str, body: Document | None = None, *, method: str = "POST") -> tuple[int, Document]:
    async with api.http.request(method, f"/v1/dead-letters{path}", json=body) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else {}


async def relay(api: Api) -> int:
    """What an orchestrator does."""
    async with api.parts.store.transaction() as transaction:
        postings = await transaction.outbox.claim(limit=100)
        await api.parts.bus.publish(postings)
        await transaction.outbox.sent([posting.envelope.id for posting in postings])
    return len(postings)


async def test_a_letter_tells_how_it_died_and_what_it_says(api: Api) -> None:
    letter = await die(api, id="m-1", correlation_id="v-1", headers={"traceparent": "00-1"})

    whole = await api.get(f"/v1/dead-letters/{letter['id']}")

    told = {name: whole[name] for name in ("message_id", "type", "queue", "reason", "exchange", "key", "count")}
    assert told == {
        "message_id": "m-1", "type": "task.trim", "queue": TRIM, "reason": "rejected", "exchange": TASKS, "key": "trim",
        "count": 1,
    }  # fmt: skip
    assert (whole["encoding"], whole["body"], whole["size"], whole["truncated"]) == ("utf-8", '{"a": 1}', 8, False)
    assert (whole["headers"]["traceparent"], whole["correlation_id"]) == ("00-1", "v-1")


async def test_looking_consumes_nothing(api: Api) -> None:
    letter = await die(api)
    for _ in range(3):
        await api.get(f"/v1/dead-letters/{letter['id']}")
        assert len((await api.get("/v1/dead-letters"))["data"]) == 1
    assert await api.posted() == []


async def test_bytes_that_are_no_text_and_names_that_no_database_holds_are_kept(api: Api) -> None:
    letter = await die(api, body=b"\x00\xff\xfe", id="nul\0id", headers={"nul\0": "\ud800", "long": "x" * 5000})

    whole = await api.get(f"/v1/dead-letters/{letter['id']}")

    assert (whole["encoding"], whole["body"]) == ("base64", "AP/+")
    assert whole["message_id"] == "nul\ufffdid"
    assert len(whole["headers"]["long"]) == 1024


async def test_a_body_that_is_too_large_is_cut_and_can_not_be_sent_again(api: Api) -> None:
    letter = await die(api, body=b"x" * (MAX_BODY + 1))

    assert (letter["truncated"], letter["size"]) == (True, MAX_BODY + 1)
    assert len((await api.get(f"/v1/dead-letters/{letter['id']}"))["body"]) == MAX_BODY
    status, problem = await act(api, f"/{letter['id']}/redrive")
    assert (status, problem["code"]) == (409, "dead_letter.truncated")


async def test_a_redriven_letter_arrives_as_it_was_and_only_once(api: Api) -> None:
    letter = await die(api, id="m-1", headers={"traceparent": "00-1"})

    status, dry = await act(api, f"/{letter['id']}/redrive", {"dry_run": True})
    assert (status, dry["data"][0]["outcome"], await relay(api)) == (200, "would_be_redriven", 0)
    status, answer = await act(api, f"/{letter['id']}/redrive")
    assert (status, answer["data"][0]["outcome"]) == (200, "redriven")
    assert (await act(api, f"/{letter['id']}/redrive"))[1]["code"] == "dead_letter.gone"

    assert await relay(api) == 1
    again = (await api.parts.bus.take([TRIM])).envelope
    assert (again.id, again.type, again.body) == ("m-1", "task.trim", b'{"a": 1}')
    assert again.headers["traceparent"] == "00-1"
    assert not any(name.startswith("x-death") for name in again.headers)
    assert (await api.get("/v1/dead-letters"))["data"] == []
    assert [one["id"] for one in (await api.get("/v1/dead-letters?redriven=true"))["data"]] == [letter["id"]]


async def test_a_redriven_letter_that_dies_again_is_another_letter(api: Api) -> None:
    letter = await die(api, id="m-1")
    await act(api, f"/{letter['id']}/redrive")
    await relay(api)
    await (await api.parts.bus.take([TRIM])).reject()

    [again] = await letters(api, 1)

    assert again["id"] != letter["id"]
    assert (again["message_id"], again["times_redriven"]) == ("m-1", 1)


async def test_many_are_chosen_by_filter_or_by_id(api: Api) -> None:
    first, second, third = [await die(api) for _ in range(3)]
    await api.parts.bus.publish([Posting(Address(TASKS, "dance"), Envelope(id="u", type="task.dance", body=b"{}"))])
    await letters(api, 4)

    _, dry = await act(api, "/redrive", {"all": True, "queue": TRIM, "dry_run": True})
    assert {one["id"] for one in dry["data"]} == {first["id"], second["id"], third["id"]}
    _, answer = await act(api, "/redrive", {"ids": [first["id"], second["id"]]})
    assert [one["outcome"] for one in answer["data"]] == ["redriven", "redriven"]
    status, problem = await act(api, "/redrive", {"ids": [third["id"], new_id()]})
    assert (status, problem["code"]) == (404, "dead_letter.not_found")
    _, discarded = await act(api, "/discard", {"all": True, "type": "task.dance"})
    assert discarded == {"discarded": 1, "more": False}
    assert await act(api, f"/{third['id']}", method="DELETE") == (204, {})
    assert (await api.get("/v1/dead-letters"))["data"] == []
    assert (await act(api, f"/{third['id']}", method="DELETE"))[0] == 404


@pytest.mark.parametrize("body", [{}, {"all": True, "ids": [new_id()]}, {"ids": []}, {"ids": [new_id()], "queue": "q"}])
async def test_a_choice_that_says_nothing_or_two_things_is_refused(api: Api, body: Document) -> None:
    status, problem = await act(api, "/redrive", body)
    assert (status, problem["code"]) == (422, "request.invalid")


async def test_a_message_that_no_queue_takes_is_an_alarm_and_is_kept(api: Api) -> None:
    await api.parts.bus.publish([Posting(Address(TASKS, "dance"), Envelope(id="u", type="task.dance", body=b"{}"))])

    [letter] = await letters(api, 1)

    assert (letter["queue"], letter["reason"], letter["exchange"], letter["key"]) == (
        UNROUTED,
        "unrouted",
        TASKS,
        "dance",
    )
    assert (await api.get("/v1/system"))["dead_letters"] == {UNROUTED: 1}
    async with api.http.get("/metrics") as answer:
        assert "moviola_unrouted_messages_total 1.0" in await answer.text()


async def test_what_was_never_published_on_an_exchange_of_ours_has_no_address(api: Api) -> None:
    await api.parts.bus.publish([Posting(Address(DEAD, ""), Envelope(id="m", type="x", body=b"{}"))])
    [letter] = await letters(api, 1)

    _, answer = await act(api, "/redrive", {"ids": [letter["id"]]})

    assert answer["data"][0]["outcome"] == "no_address"


async def test_a_letter_waits_while_a_message_of_its_id_is_in_the_outbox(api: Api) -> None:
    one, other = await die(api, id="same"), await die(api, id="same", body=b"other")

    _, answer = await act(api, "/redrive", {"ids": [one["id"], other["id"]]})

    assert [one["outcome"] for one in answer["data"]] == ["redriven", "busy"]
    assert [one["id"] for one in (await api.get("/v1/dead-letters"))["data"]] == [other["id"]]


async def test_a_submission_that_is_redriven_is_entered_for_its_producer(api: Api) -> None:
    """Rejected while the object was not there; the producer's own tenant counts, not that of who redrives."""
    key = "incoming/acme/clip.mp4"
    body = f'{{"object": {{"key": "{key}"}}, "recipe": null}}'.encode()
    envelope = Envelope(id="m-1", type="video.submitted", body=body, user_id="acme-user")
    await api.parts.bus.publish([Posting(Address(INGEST, "video.submitted"), envelope)])
    [rejected] = await posted(api, 1)
    assert isinstance(rejected, VideoRejected)
    assert await relay(api) == 1
    async with api.parts.store.snapshot() as view:
        assert await view.dead_letters.waiting() in ({INGEST: 1}, {})

    await put(api, key)
    letter_id = await _only_letter_of_acme(api)
    async with api.parts.store.snapshot() as view:
        letter = await view.dead_letters.get(None, letter_id)
    assert letter is not None
    assert (letter.tenant, letter.user_id) == ("acme", "acme-user")
    assert await redrive(api.parts.store, [letter]) == ["redriven"]
    await relay(api)

    [uploaded] = await posted(api, 1)
    assert isinstance(uploaded, VideoUploaded)
    assert uploaded.tenant == "acme"


async def _only_letter_of_acme(api: Api) -> str:
    found: list[str] = []

    async def there() -> bool:
        async with api.parts.store.snapshot() as view:
            page = await view.dead_letters.page(DeadLetterFilter(tenant=Tenant("acme")), limit=9)
        found[:] = [letter.id for letter in page]
        return len(found) == 1

    await eventually(there)
    return found[0]


async def test_naming_a_letter_in_a_header_gives_nobody_anothers_tenant(api: Api) -> None:
    letter = await die(api)
    await put(api)
    body = f'{{"object": {{"key": "{KEY}"}}, "recipe": null}}'
    envelope = Envelope(
        id="m", type="video.submitted", body=body.encode(), headers={"x-moviola-dead-letter": letter["id"]}
    )
    await api.parts.bus.publish([Posting(Address(INGEST, "video.submitted"), envelope)])

    [uploaded] = await posted(api, 1)

    assert isinstance(uploaded, VideoUploaded)
    assert uploaded.tenant == "default"


async def test_poison_does_not_keep_others_from_being_drained(api: Api) -> None:
    for number in range(5):
        await submit(api, "\\ud800" * number, id=f"poison {number}\0")
    await put(api)
    await submit(api, f'{{"object": {{"key": "{KEY}"}}, "recipe": null}}')

    assert len(await letters(api, 5)) == 5
    assert any(isinstance(event, VideoUploaded) for event in await posted(api, 6))


async def test_a_video_explains_itself_by_its_dead_letters(api: Api) -> None:
    video = await api.upload()
    letter = await die(api, correlation_id=video["id"])

    explanation = await api.get(f"/v1/videos/{video['id']}/explain")

    assert [one["id"] for one in explanation["dead_letters"]] == [letter["id"]]
    assert f"see `moviola dead-letters show {letter['id']}`" in explanation["sentence"]
