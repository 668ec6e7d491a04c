"""Webhooks as a resource."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from moviola.ports.video_store import DeliveryState
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT, Tenant, new_id, utc_now
from moviola_api.webhooks import MAX_WEBHOOKS
from tests.unit.moviola_api.conftest import Api, Document

URL = "https://93.184.215.14/hook"


async def call(api: Api, method: str, path: str, body: Document | None = None) -> tuple[int, Document]:
    async with api.http.request(method, f"/v1/webhooks{path}", json=body) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else {}


async def create(api: Api, **fields: object) -> Document:
    status, document = await call(api, "POST", "", {"url": URL, **fields})
    assert status == 201, document
    return document


async def test_the_secret_is_shown_once(api: Api) -> None:
    made = await create(api, events=["video.ready", "video.failed"], description="Ours")

    assert made["secret"].startswith("whsec_")
    status, shown = await call(api, "GET", f"/{made['id']}")
    assert (status, shown["url"], shown["events"], shown["enabled"]) == (
        200,
        URL,
        ["video.ready", "video.failed"],
        True,
    )
    listed = (await call(api, "GET", ""))[1]["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert "secret" not in shown
    assert made["secret"] not in str(listed)


async def test_it_can_be_changed_and_deleted(api: Api) -> None:
    made = await create(api)
    assert made["events"] == ["video.*"]

    status, changed = await call(api, "PATCH", f"/{made['id']}", {"events": ["video.ready"], "enabled": False})
    assert (status, changed["events"], changed["enabled"], changed["url"]) == (200, ["video.ready"], False, URL)
    assert (await call(api, "POST", f"/{made['id']}/ping"))[1]["code"] == "webhook.disabled"
    assert await call(api, "DELETE", f"/{made['id']}") == (204, {})
    assert (await call(api, "GET", f"/{made['id']}"))[1]["code"] == "webhook.not_found"


async def test_enabling_it_again_forgets_why_it_was_disabled(api: Api) -> None:
    made = await create(api)
    now = utc_now()
    async with api.parts.store.transaction() as transaction:
        await transaction.webhooks.fared(made["id"], well=False, at=now, failing_before=now, gone=True)
    shown = (await call(api, "GET", f"/{made['id']}"))[1]
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    assert shown["failing_since"] is not None

    _, changed = await call(api, "PATCH", f"/{made['id']}", {"enabled": True})

    assert (changed["enabled"], changed["disabled_reason"], changed["failing_since"]) == (True, None, None)
    assert (await call(api, "GET", f"/{made['id']}"))[1]["failing_since"] is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://127.0.0.1/", "webhook.private_address"),
        ("https://localhost/", "webhook.private_address"),
        ("https://169.254.169.254/latest/meta-data/", "webhook.private_address"),
        ("https://[::ffff:10.0.0.1]/", "webhook.private_address"),
        ("https://2130706433/", "webhook.private_address"),
        ("https://no-such-name.invalid/", "webhook.unresolvable"),
        ("https://" + "x" * 64 + ".invalid/", "webhook.unresolvable"),
        ("http://93.184.215.14/", "webhook.url_refused"),
        ("file:///etc/passwd", "webhook.url_refused"),
    ],
)
async def test_an_endpoint_that_lies_in_a_private_network_is_refused(api: Api, url: str, code: str) -> None:
    status, problem = await call(api, "POST", "", {"url": url})

    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, code, "/url")
    made = await create(api)
    assert (await call(api, "PATCH", f"/{made['id']}", {"url": url}))[1]["code"] == code


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": URL, "events": ["video.nonsense"]}, "/events/0"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "description": "a\nb"}, "/description"),
        ({"url": URL, "secret": "mine"}, "/secret"),
    ],
)
async def test_a_bad_webhook_is_refused_with_a_pointer(api: Api, body: Document, pointer: str) -> None:
    status, problem = await call(api, "POST", "", body)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_there_are_at_most_so_many(api: Api) -> None:
    for _ in range(MAX_WEBHOOKS):
        await create(api)
    assert (await call(api, "POST", "", {"url": URL}))[1]["code"] == "webhook.limit"


async def test_a_rotated_secret_lasts_a_day_longer(api: Api) -> None:
    made = await create(api)

    status, first = await call(api, "POST", f"/{made['id']}/rotate-secret")
    _, second = await call(api, "POST", f"/{made['id']}/rotate-secret")

    assert status == 200
    assert len({made["secret"], first["secret"], second["secret"]}) == 3
    assert first["old_secret_until"] is not None
    async with api.parts.store.snapshot() as view:
        webhook = await view.webhooks.get(DEFAULT_TENANT, made["id"])
    assert webhook is not None
    assert [one.value for one in webhook.secrets] == [second["secret"], first["secret"], made["secret"]]
    assert webhook.secrets[0].until is None
    assert all(one.until is not None and one.until > utc_now() + timedelta(hours=23) for one in webhook.secrets[1:])


async def test_a_ping_is_a_delivery_that_can_be_seen_and_sent_again(api: Api) -> None:
    made = await create(api)
    status, pinged = await call(api, "POST", f"/{made['id']}/ping")
    assert (status, pinged["type"], pinged["state"], pinged["attempts"]) == (202, "webhook.ping", "pending", 0)

    whole = (await call(api, "GET", f"/{made['id']}/deliveries/{pinged['id']}"))[1]
    assert whole["payload"]["data"] == {"webhook_id": made["id"]}
    async with api.parts.store.transaction() as transaction:
        [(delivery, _)] = await transaction.webhook_deliveries.claim(
            now=utc_now(), until=utc_now() + timedelta(hours=1), limit=9
        )
        ended = {"state": DeliveryState.FAILED, "status": 500, "seconds": 0.5, "answer": "no", "finished_at": utc_now()}
        await transaction.webhook_deliveries.save(replace(delivery, **ended))
    [listed] = (await call(api, "GET", f"/{made['id']}/deliveries"))[1]["data"]
    assert (listed["state"], listed["status"], listed["seconds"], listed["answer"]) == ("failed", 500, 0.5, "no")
    assert listed["next_attempt_at"] is None

    status, again = await call(api, "POST", f"/{made['id']}/deliveries/{pinged['id']}/redeliver")

    assert (status, again["state"], again["attempts"], again["event_id"]) == (202, "pending", 0, pinged["event_id"])
    async with api.parts.store.snapshot() as view:
        assert await view.webhook_deliveries.due(now=utc_now())


async def test_deliveries_are_listed_in_pages(api: Api) -> None:
    made = await create(api)
    pinged = [(await call(api, "POST", f"/{made['id']}/ping"))[1]["id"] for _ in range(3)]

    first = (await call(api, "GET", f"/{made['id']}/deliveries?limit=2"))[1]
    second = (await call(api, "GET", f"/{made['id']}/deliveries?limit=2&cursor={first['next_cursor']}"))[1]

    assert [one["id"] for one in first["data"] + second["data"]] == pinged[::-1]
    assert second["next_cursor"] is None


async def test_anothers_webhook_is_not_found(api: Api) -> None:
    made = await create(api)
    async with api.parts.store.transaction() as transaction:
        webhook = await transaction.webhooks.get(DEFAULT_TENANT, made["id"])
        assert webhook is not None
        theirs = replace(webhook, id=new_id(), tenant=Tenant("other"))
        await transaction.webhooks.add(theirs)

    calls = [("GET", ""), ("DELETE", ""), ("POST", "/ping"), ("GET", "/deliveries"), ("POST", "/rotate-secret")]
    answers = await asyncio.gather(*(call(api, method, f"/{theirs.id}{path}") for method, path in calls))
    assert {(status, problem["code"]) for status, problem in answers} == {(404, "webhook.not_found")}
    other = (await call(api, "GET", f"/{made['id']}/deliveries/{new_id()}"))[1]
    assert other["code"] == "webhook.delivery_not_found"


class TestWherePrivateNetworksAreAllowed:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"webhook_allow_private": True})

    async def test_endpoints_may_lie_there(self, api: Api) -> None:
        assert (await create(api, url="http://127.0.0.1:9000/hook"))["enabled"]
