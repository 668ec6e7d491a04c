"""The sender, against a real receiver on loopback; and the guard that keeps it out of private networks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from moviola.infrastructure import Infrastructure
from moviola.messages import VideoCancelRequested, VideoFailed
from moviola.ports.message_bus import post
from moviola.ports.video_store import DeliveryState, Webhook, WebhookDelivery, WebhookSecret
from moviola.video import DEFAULT_TENANT, Failure, Tenant, VideoId, new_id, utc_now
from moviola.webhooks import BACK_OFF, new_secret
from moviola_orchestrator import endpoints as endpoints_module
from moviola_orchestrator.bells import Bell
from moviola_orchestrator.endpoints import Answered, Endpoints, NoAnswer, PrivateAddress, open_endpoints, public_socket
from moviola_orchestrator.webhooks import DISABLE_AFTER, WebhookSender, after_attempt
from tests.unit.moviola_orchestrator.receiver import Receiver, receiving
from tests.unit.moviola_orchestrator.stage import Stage


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    async with open_endpoints(allow_private=True) as opened:
        yield opened


class Office:
    """The sender on the stage's store; its clock moves by hand."""

    def __init__(self, stage: Stage, endpoints: Endpoints) -> None:
        self.stage = stage
        self.now = utc_now()
        self.sender = WebhookSender(stage.store, endpoints, Bell(), clock=lambda: self.now, chance=lambda: 0.5)

    async def listen(self, url: str, *events: str, **wanted: Any) -> Webhook:
        usual = {"tenant": DEFAULT_TENANT, "secrets": (WebhookSecret(value=new_secret()),)}
        webhook = Webhook(
            id=new_id(), url=url, events=events or ("video.*",), created_at=self.now, updated_at=self.now,
            **usual | wanted,
        )  # fmt: skip
        async with self.stage.store.transaction() as transaction:
            await transaction.webhooks.add(webhook)
        return webhook

    async def happens(self) -> None:
        """A video fails: what the orchestrator posts is relayed."""
        failure = Failure(code="media.corrupt", step="probe", message="It is broken.")
        event = VideoFailed(video_id=VideoId(new_id()), tenant=DEFAULT_TENANT, run_id=new_id(), failure=failure)
        asked = VideoCancelRequested(video_id=event.video_id, tenant=DEFAULT_TENANT)
        async with self.stage.store.transaction() as transaction:
            await transaction.outbox.add([post(event), post(asked)])
        await self.stage.relay.relay()
        self.now = utc_now()

    async def deliveries(self, webhook: Webhook) -> list[WebhookDelivery]:
        async with self.stage.store.snapshot() as view:
            return list(await view.webhook_deliveries.page(webhook.id, limit=100))

    async def webhook(self, webhook: Webhook) -> Webhook:
        async with self.stage.store.snapshot() as view:
            found = await view.webhooks.get(webhook.tenant, webhook.id)
        assert found is not None
        return found


@pytest.fixture
def office(stage: Stage, endpoints: Endpoints) -> Office:
    return Office(stage, endpoints)


async def test_an_event_is_told_signed_to_whom_it_concerns(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url, "video.failed")
    silent = [
        await office.listen(receiver.url, "video.ready"),
        await office.listen(receiver.url, tenant=Tenant("other")),
        await office.listen(receiver.url, enabled=False),
    ]
    await office.happens()

    assert await office.sender.send_due() == 1

    received = await receiver.next()
    payload = received.verified(webhook.secrets[0].value)
    assert (payload["type"], payload["data"]["failure"]["code"]) == ("video.failed", "media.corrupt")
    [delivery] = await office.deliveries(webhook)
    assert received.headers["webhook-id"] == delivery.event_id
    assert (delivery.state, delivery.status, delivery.answer, delivery.attempts) == ("delivered", 200, "thanks", 1)
    assert [await office.deliveries(one) for one in silent] == [[], [], []]
    assert await office.sender.send_due() == 0


async def test_a_relay_that_publishes_twice_tells_once(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url)
    office.stage.bus.loses_answers = 1
    with pytest.raises(Exception, match="did not confirm"):
        await office.happens()
    await office.stage.relay.relay()
    await office.stage.relay.relay()
    assert len(await office.deliveries(webhook)) == 1


async def test_while_a_secret_is_rotated_both_verify_until_the_old_one_ends(office: Office, receiver: Receiver) -> None:
    new, old, older = new_secret(), new_secret(), new_secret()
    until = utc_now() + timedelta(hours=1)
    past = utc_now() - timedelta(hours=1)
    secrets = (
        WebhookSecret(value=new), WebhookSecret(value=old, until=until), WebhookSecret(value=older, until=past),
    )  # fmt: skip
    await office.listen(receiver.url, secrets=secrets)
    await office.happens()
    await office.sender.send_due()

    received = await receiver.next()
    assert received.verified(new) == received.verified(old)
    assert received.headers["webhook-signature"].count("v1,") == 2


async def test_a_failing_endpoint_is_tried_again_until_it_answers(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url)
    receiver.statuses = [500, 302, 404]
    await office.happens()
    for wait in BACK_OFF[:3]:
        assert await office.sender.send_due() == 1
        assert await office.sender.send_due() == 0
        office.now += timedelta(seconds=wait * 1.01)
    assert await office.sender.send_due() == 1

    [delivery] = await office.deliveries(webhook)
    assert (delivery.state, delivery.attempts, delivery.status, delivery.error) == ("delivered", 4, 200, None)
    ids = {(await receiver.next()).headers["webhook-id"] for _ in range(4)}
    assert ids == {delivery.event_id}


async def test_after_the_last_try_it_is_given_up(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url)
    receiver.statuses = [503] * 20
    await office.happens()
    for wait in (*BACK_OFF, 0, 0):
        await office.sender.send_due()
        office.now += timedelta(seconds=wait * 1.01)

    [delivery] = await office.deliveries(webhook)
    assert (delivery.state, delivery.attempts, delivery.status) == ("failed", 8, 503)
    assert delivery.error == "It answered 503."
    assert (await office.webhook(webhook)).failing_since is not None


async def test_an_endpoint_that_fails_for_days_is_disabled(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url, failing_since=utc_now() - DISABLE_AFTER - timedelta(hours=1))
    receiver.statuses = [500]
    await office.happens()
    await office.sender.send_due()
    office.now += timedelta(hours=1)

    assert await office.sender.send_due() == 0
    found = await office.webhook(webhook)
    assert (found.enabled, found.disabled_reason) == (False, "failing")


async def test_an_endpoint_that_is_gone_is_disabled_at_once(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url)
    receiver.statuses = [410]
    await office.happens()
    await office.sender.send_due()

    assert (await office.webhook(webhook)).disabled_reason == "gone"
    assert [one.state for one in await office.deliveries(webhook)] == ["failed"]


async def test_a_redirect_is_not_followed(office: Office, receiver: Receiver) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/other"})

    receiver.answer = elsewhere
    webhook = await office.listen(receiver.url)
    await office.happens()
    await office.sender.send_due()

    assert [one.status for one in await office.deliveries(webhook)] == [307]
    await receiver.next()
    assert receiver.received.empty()


async def test_of_a_long_answer_the_beginning_is_kept(office: Office, receiver: Receiver) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"\0\xff" + b"x" * 65536)
        except ConnectionError:
            return response

    receiver.answer = endless
    webhook = await office.listen(receiver.url)
    await office.happens()
    await office.sender.send_due()

    [delivery] = await office.deliveries(webhook)
    assert delivery.state == "delivered"
    assert delivery.answer is not None
    assert len(delivery.answer) == 1024
    assert delivery.answer.startswith("\ufffd\ufffdx")


async def test_an_endpoint_that_does_not_answer_is_left_in_time(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.Response()

    receiver.answer = silent
    monkeypatch.setattr(endpoints_module, "ANSWER_SECONDS", 0.2)
    async with open_endpoints(allow_private=True) as impatient:
        with pytest.raises(NoAnswer, match=r"within 0\.2 s"):
            await impatient.post(receiver.url, b"{}", {})
    forever.set()


async def test_one_bad_endpoint_does_not_hold_the_others_up(office: Office, receiver: Receiver) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bad = await office.listen(f"http://127.0.0.1:{closed.getsockname()[1]}/")
        worse = await office.listen(f"http://{'x' * 70}.invalid/")
        good = await office.listen(receiver.url)
        await office.happens()
        assert await office.sender.send_due() == 3

    assert [one.state for one in await office.deliveries(good)] == ["delivered"]
    for webhook in (bad, worse):
        [delivery] = await office.deliveries(webhook)
        assert (delivery.state, delivery.status) == ("pending", None)
        assert delivery.error


async def test_what_a_sender_died_with_is_sent_by_the_next(office: Office, receiver: Receiver) -> None:
    webhook = await office.listen(receiver.url)
    await office.happens()
    async with office.stage.store.transaction() as transaction:
        until = office.now + timedelta(seconds=60)
        assert len(await transaction.webhook_deliveries.claim(now=office.now, until=until, limit=9)) == 1

    assert await office.sender.send_due() == 0
    office.now += timedelta(seconds=60)
    assert await office.sender.send_due() == 1
    assert [one.attempts for one in await office.deliveries(webhook)] == [2]


# The guard.


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
async def test_a_private_address_is_never_connected_to_however_it_is_written(host: str, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    async with open_endpoints(allow_private=False) as guarded:
        with pytest.raises(NoAnswer):
            await guarded.post(f"http://{host}:{port}", b"{}", {})
    assert receiver.received.empty()


async def test_a_name_that_leads_elsewhere_at_the_second_look_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it was resolved, private when a socket is made."""

    async def rebound(own: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(endpoints_module.PublicResolver, "resolve", rebound)
    port = int(receiver.url.split(":")[2].partition("/")[0])
    async with open_endpoints(allow_private=False) as guarded:
        with pytest.raises(NoAnswer, match=r"127\.0\.0\.1, which is no address of the internet"):
            await guarded.post(f"http://public.example:{port}/", b"{}", {})
    assert receiver.received.empty()


def test_a_socket_is_made_for_a_public_address_only() -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    with pytest.raises(PrivateAddress):
        public_socket((*kind, ("169.254.169.254", 80)))
    public_socket((*kind, ("8.8.8.8", 443))).close()


# What comes of an attempt.

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELIVERY = WebhookDelivery(
    id="d", webhook_id="w", tenant=DEFAULT_TENANT, event_id="e", type="video.ready", payload=b"{}", attempts=1,
    not_before=NOW, created_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_is_one(status: int) -> None:
    after = after_attempt(DELIVERY, Answered(status, 0.1, "ok"), NOW, NOW, 0.5)
    assert (after.state, after.finished_at, after.error) == (DeliveryState.DELIVERED, NOW, None)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 4.5), (0.5, 5.0), (1.0, 5.5)])
def test_the_wait_is_spread_by_chance(chance: float, seconds: float) -> None:
    after = after_attempt(DELIVERY, NoAnswer("away"), NOW, NOW, chance)
    assert (after.state, after.error) == ("pending", "away")
    assert after.not_before == NOW + timedelta(seconds=seconds)


def test_waits_grow_to_hours() -> None:
    for attempts, wait in enumerate(BACK_OFF, start=1):
        after = after_attempt(replace(DELIVERY, attempts=attempts), NoAnswer("away"), NOW, NOW, 0.5)
        assert after.not_before == NOW + timedelta(seconds=wait)
    last = replace(DELIVERY, attempts=len(BACK_OFF) + 1)
    assert after_attempt(last, NoAnswer("away"), NOW, NOW, 0.5).state is DeliveryState.FAILED


async def test_the_sender_runs_and_stops(opened: Infrastructure, endpoints: Endpoints) -> None:
    stopping, bell = asyncio.Event(), Bell()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(WebhookSender(opened.store, endpoints, bell).run(stopping))
        await asyncio.sleep(0)
        stopping.set()
        bell.ring()
