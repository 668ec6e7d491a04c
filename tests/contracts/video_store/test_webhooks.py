"""Webhooks and their deliveries."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from moviola.errors import StaleVersion
from moviola.ports.video_store import DeliveryState, VideoStore, Webhook, WebhookDelivery, WebhookSecret
from moviola.video import DEFAULT_TENANT, Tenant, new_id
from tests.contracts.video_store.conftest import Opener
from tests.contracts.video_store.records import NOW, at

OTHER = Tenant("other")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def a_webhook(**wanted: Any) -> Webhook:
    usual: dict[str, Any] = {
        "id": new_id(),
        "tenant": DEFAULT_TENANT,
        "url": "https://example.com/ü",
        "events": ("video.ready",),
        "secrets": (WebhookSecret(value="whsec_new"), WebhookSecret(value="whsec_old", until=at(9))),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Webhook(**usual | wanted)


def a_delivery(webhook: Webhook, **wanted: Any) -> WebhookDelivery:
    usual: dict[str, Any] = {
        "id": new_id(),
        "webhook_id": webhook.id,
        "tenant": webhook.tenant,
        "event_id": new_id(),
        "type": "video.ready",
        "payload": b'{"a": 1}',
        "not_before": NOW,
        "created_at": NOW,
    }
    return WebhookDelivery(**usual | wanted)


async def stored(store: VideoStore, *records: Webhook | WebhookDelivery) -> None:
    async with store.transaction() as tx:
        for record in records:
            if isinstance(record, Webhook):
                await tx.webhooks.add(record)
            else:
                await tx.webhook_deliveries.add([record])


async def test_a_webhook_is_found_as_it_was_added_by_its_tenant_only(store: VideoStore) -> None:
    one, two, theirs = a_webhook(failing_since=at(1), description="ñ"), a_webhook(), a_webhook(tenant=OTHER)
    await stored(store, one, two, theirs)

    async with store.snapshot() as tx:
        assert await tx.webhooks.get(DEFAULT_TENANT, one.id) == one
        assert await tx.webhooks.get(OTHER, one.id) is None
        assert await tx.webhooks.of_tenant(DEFAULT_TENANT) == [one, two]


async def test_those_that_listen_are_enabled_and_of_the_tenants(store: VideoStore) -> None:
    one, off, theirs = a_webhook(), a_webhook(enabled=False), a_webhook(tenant=OTHER)
    await stored(store, one, off, theirs)

    async with store.transaction() as tx:
        assert await tx.webhooks.listening({DEFAULT_TENANT}) == [one]
        assert await tx.webhooks.listening({DEFAULT_TENANT, OTHER}) == [one, theirs]
        assert await tx.webhooks.listening(set()) == []


async def test_a_webhook_is_saved_with_the_version_that_was_read(store: VideoStore) -> None:
    webhook = a_webhook()
    await stored(store, webhook)

    async with store.transaction() as tx:
        await tx.webhooks.save(replace(webhook, url="https://other.example/"))
    with pytest.raises(StaleVersion):
        async with store.transaction() as tx:
            await tx.webhooks.save(webhook)

    async with store.snapshot() as tx:
        assert await tx.webhooks.get(DEFAULT_TENANT, webhook.id) == replace(
            webhook, url="https://other.example/", version=2
        )


async def test_a_webhook_is_removed_with_its_deliveries(store: VideoStore) -> None:
    webhook, other = a_webhook(), a_webhook()
    gone, kept = a_delivery(webhook), a_delivery(other)
    await stored(store, webhook, other, gone, kept)

    async with store.transaction() as tx:
        assert not await tx.webhooks.remove(OTHER, webhook.id)
        assert await tx.webhooks.remove(DEFAULT_TENANT, webhook.id)
        assert not await tx.webhooks.remove(DEFAULT_TENANT, webhook.id)
        assert await tx.webhook_deliveries.get(webhook.id, gone.id) is None
        assert await tx.webhook_deliveries.get(other.id, kept.id) == kept


async def test_an_endpoint_that_always_fails_is_disabled_after_a_while(store: VideoStore) -> None:
    webhook = a_webhook()
    await stored(store, webhook)

    async def fared(well: bool, seconds: float, gone: bool = False) -> tuple[bool, Webhook]:
        async with store.transaction() as tx:
            disabled = await tx.webhooks.fared(
                webhook.id, well=well, at=at(seconds), failing_before=at(seconds - 100), gone=gone
            )
            found = await tx.webhooks.get(DEFAULT_TENANT, webhook.id)
            assert found is not None
            return disabled, found

    assert (await fared(False, 0))[1].failing_since == at(0)
    assert (await fared(False, 99))[1].failing_since == at(0)
    assert (await fared(True, 100))[1].failing_since is None
    assert not (await fared(False, 101))[0]
    disabled, found = await fared(False, 202)
    assert disabled
    assert (found.enabled, found.disabled_reason, found.version) == (False, "failing", 2)
    assert not (await fared(False, 303))[0]


async def test_an_endpoint_that_is_gone_is_disabled_at_once(store: VideoStore) -> None:
    webhook = a_webhook()
    await stored(store, webhook)

    async with store.transaction() as tx:
        assert await tx.webhooks.fared(webhook.id, well=False, at=NOW, failing_before=NEVER, gone=True)
        found = await tx.webhooks.get(DEFAULT_TENANT, webhook.id)
    assert found is not None
    assert (found.enabled, found.disabled_reason) == (False, "gone")


async def test_an_event_is_noted_once_for_each_endpoint(store: VideoStore) -> None:
    webhook, other = a_webhook(), a_webhook()
    first = a_delivery(webhook, event_id="e")
    await stored(store, webhook, other, first)

    await stored(store, a_delivery(webhook, event_id="e"), a_delivery(other, event_id="e"))

    async with store.snapshot() as tx:
        assert await tx.webhook_deliveries.page(webhook.id, limit=9) == [first]
        assert len(await tx.webhook_deliveries.page(other.id, limit=9)) == 1


async def test_deliveries_are_paged_the_newest_first(store: VideoStore) -> None:
    webhook = a_webhook()
    deliveries = sorted((a_delivery(webhook) for _ in range(5)), key=lambda one: one.id, reverse=True)
    await stored(store, webhook, *deliveries)

    async with store.snapshot() as tx:
        assert await tx.webhook_deliveries.page(webhook.id, limit=3) == deliveries[:3]
        assert await tx.webhook_deliveries.page(webhook.id, limit=3, before=deliveries[2].id) == deliveries[3:]


async def test_what_is_due_is_claimed_once_and_is_due_again_later(store: VideoStore) -> None:
    webhook, off = a_webhook(), a_webhook(enabled=False)
    late, now, early = (a_delivery(webhook, not_before=at(t)) for t in (-9, 0, 1))
    done = a_delivery(webhook, state=DeliveryState.DELIVERED, not_before=at(-9))
    await stored(store, webhook, off, now, late, early, done, a_delivery(off, not_before=at(-9)))

    async with store.transaction() as tx:
        assert await tx.webhook_deliveries.due(now=NOW)
        claimed = await tx.webhook_deliveries.claim(now=NOW, until=at(60), limit=9)
    assert claimed == [(replace(one, attempts=1, not_before=at(60)), webhook) for one in (late, now)]

    async with store.transaction() as tx:
        assert not await tx.webhook_deliveries.due(now=NOW)
        assert await tx.webhook_deliveries.claim(now=NOW, until=at(60), limit=9) == []
        again = await tx.webhook_deliveries.claim(now=at(60), until=at(120), limit=1)
        assert [one.id for one, _ in again] == [early.id]
        assert await tx.webhook_deliveries.get(webhook.id, late.id) == claimed[0][0]


async def test_two_senders_at_once_do_not_send_the_same_delivery(store: VideoStore, open_store: Opener) -> None:
    webhook = a_webhook()
    deliveries = [a_delivery(webhook) for _ in range(12)]
    await stored(store, webhook, *deliveries)
    sent: list[str] = []

    async def send(opened: VideoStore) -> None:
        while True:
            async with opened.transaction() as tx:
                claimed = await tx.webhook_deliveries.claim(now=NOW, until=at(60), limit=2)
            if not claimed:
                return
            sent.extend(delivery.id for delivery, _ in claimed)

    async with asyncio.timeout(60), open_store() as another:
        await asyncio.gather(send(store), send(another), send(store))

    assert sorted(sent) == sorted(one.id for one in deliveries)


async def test_a_delivery_is_saved_and_forgotten_when_it_ended_long_ago(store: VideoStore) -> None:
    webhook = a_webhook()
    old, young, pending = (a_delivery(webhook) for _ in range(3))
    await stored(store, webhook, old, young, pending)
    told = {"status": 200, "seconds": 0.25, "answer": "fine", "error": None, "attempted_at": at(1), "attempts": 3}
    ended = replace(old, state=DeliveryState.DELIVERED, finished_at=at(2), **told)

    async with store.transaction() as tx:
        await tx.webhook_deliveries.save(ended)
        await tx.webhook_deliveries.save(replace(young, state=DeliveryState.FAILED, finished_at=at(9)))
        assert await tx.webhook_deliveries.get(webhook.id, old.id) == ended
        assert await tx.webhook_deliveries.forget(finished_before=at(5)) == 1
        assert {one.id for one in await tx.webhook_deliveries.page(webhook.id, limit=9)} == {young.id, pending.id}
