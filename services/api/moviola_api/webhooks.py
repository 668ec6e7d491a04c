"""Webhooks as a resource: endpoints that are told of events. The secret is shown when it is made, and never again."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Self
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from moviola.addresses import is_public
from moviola.errors import Conflict, FieldError, InvalidInput, NotFound, StaleVersion
from moviola.ports.video_store import Webhook, WebhookSecret
from moviola.video import new_id, utc_now
from moviola.webhooks import FILTERS, checked_url, new_secret
from moviola_api.bodies import RequestBody, read_json
from moviola_api.context import context_of, tenant_of
from moviola_api.documents import Document
from moviola_api.presentation import json_response
from moviola_api.queries import checked

MAX_WEBHOOKS = 20
OLD_SECRET_LASTS = timedelta(hours=24)
RESOLVE_SECONDS = 5.0
WRITE_TRIES = 5


def _known(name: str) -> str:
    if name not in FILTERS:
        raise ValueError(f"there is no such event; there are {', '.join(FILTERS)}")
    return name


Events = Annotated[tuple[Annotated[str, AfterValidator(_known)], ...], Field(min_length=1, max_length=20)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Description = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f]*$")]


class NewWebhook(RequestBody):
    """``events``: ``video.ready`` and the like, or ``video.*`` for all."""

    url: Url
    events: Events = ("video.*",)
    description: Description = ""


class WebhookPatch(RequestBody):
    """What is left out stays; ``enabled: true`` also forgets why it was disabled."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None


class WebhookDocument(Document):
    """``disabled_reason``: ``failing`` (every attempt of three days), ``gone`` (it answered 410), or null."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(**{name: getattr(webhook, name) for name in WebhookDocument.model_fields})


class WebhookWithSecret(WebhookDocument):
    """``secret`` verifies signatures from now on; one that it replaces does so until ``old_secret_until``."""

    secret: str
    old_secret_until: datetime | None = None


class WebhookList(Document):
    data: tuple[WebhookDocument, ...]


async def create_webhook(request: web.Request) -> web.Response:
    """201 with the secret; ``InvalidInput`` for an endpoint that lies in our own network."""
    asked = checked(NewWebhook, await read_json(request))
    url = await _checked(request, asked.url)
    now, tenant = utc_now(), tenant_of(request)
    webhook = Webhook(
        id=new_id(),
        tenant=tenant,
        url=url,
        events=asked.events,
        description=asked.description,
        secrets=(WebhookSecret(value=new_secret()),),
        created_at=now,
        updated_at=now,
    )
    async with context_of(request).store.transaction() as transaction:
        if len(await transaction.webhooks.of_tenant(tenant)) >= MAX_WEBHOOKS:
            raise Conflict(f"There are {MAX_WEBHOOKS} webhooks already, and there can't be more.", code="webhook.limit")
        await transaction.webhooks.add(webhook)
    response = json_response(_with_secret(webhook), status=201)
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return response


async def list_webhooks(request: web.Request) -> web.Response:
    """The oldest first; there are few."""
    async with context_of(request).store.snapshot() as view:
        found = await view.webhooks.of_tenant(tenant_of(request))
    return json_response(WebhookList(data=tuple(WebhookDocument.of(webhook) for webhook in found)))


async def show_webhook(request: web.Request) -> web.Response:
    return json_response(WebhookDocument.of(await webhook_of(request)))


async def change_webhook(request: web.Request) -> web.Response:
    patch = checked(WebhookPatch, await read_json(request))
    changes = {name: value for name, value in patch.model_dump(exclude_unset=True).items() if value is not None}
    if "url" in changes:
        changes["url"] = await _checked(request, changes["url"])
    if "enabled" in changes:
        changes["disabled_reason"] = None
    changed = await _write(request, lambda webhook: replace(webhook, **changes))
    if changes.get("enabled"):
        # What failed before it was enabled anew is no reason to disable it at its next failure.
        async with context_of(request).store.transaction() as transaction:
            now = utc_now()
            await transaction.webhooks.fared(changed.id, well=True, at=now, failing_before=now)
        changed = replace(changed, failing_since=None)
    return json_response(WebhookDocument.of(changed))


async def delete_webhook(request: web.Request) -> web.Response:
    """204; what was on its way to it is forgotten."""
    webhook = await webhook_of(request)
    async with context_of(request).store.transaction() as transaction:
        await transaction.webhooks.remove(webhook.tenant, webhook.id)
    return web.Response(status=204)


async def rotate_secret(request: web.Request) -> web.Response:
    """A new secret; for 24 hours deliveries are signed with the old one too."""
    now = utc_now()
    until = now + OLD_SECRET_LASTS

    def rotated(webhook: Webhook) -> Webhook:
        current, *older = webhook.secrets
        lasting = [secret for secret in older if secret.until is not None and secret.until > now]
        return replace(
            webhook,
            secrets=(WebhookSecret(value=new_secret()), WebhookSecret(value=current.value, until=until), *lasting[:3]),
        )

    return json_response(_with_secret(await _write(request, rotated)))


def _with_secret(webhook: Webhook) -> WebhookWithSecret:
    known = WebhookDocument.of(webhook).model_dump()
    old = webhook.secrets[1].until if len(webhook.secrets) > 1 else None
    return WebhookWithSecret(**known, secret=webhook.secrets[0].value, old_secret_until=old)


async def webhook_of(request: web.Request) -> Webhook:
    """The webhook that the address names; ``NotFound`` for another tenant's too."""
    found = None
    try:
        webhook_id = str(UUID(request.match_info["webhook_id"]))
    except ValueError:
        pass
    else:
        async with context_of(request).store.snapshot() as view:
            found = await view.webhooks.get(tenant_of(request), webhook_id)
    if found is None:
        raise NotFound("There is no such webhook.", code="webhook.not_found")
    return found


async def _write(request: web.Request, change: Callable[[Webhook], Webhook]) -> Webhook:
    """Save what *change* makes of it, anew where somebody was faster; the webhook as it is then."""
    for attempt in range(1, WRITE_TRIES + 1):
        webhook = replace(change(await webhook_of(request)), updated_at=utc_now())
        try:
            async with context_of(request).store.transaction() as transaction:
                await transaction.webhooks.save(webhook)
        except StaleVersion:
            if attempt == WRITE_TRIES:
                raise
        else:
            return replace(webhook, version=webhook.version + 1)
    raise AssertionError("unreachable")


async def _checked(request: web.Request, url: str) -> str:
    """An address that leads to the internet now; the sender looks again whenever it connects."""
    allow_private = context_of(request).settings.webhook_allow_private
    checked_url(url, allow_private=allow_private)
    if not allow_private:
        host = urlsplit(url).hostname or ""
        addresses = await _addresses(host)
        if not addresses:
            raise _refused(f"The name {host[:200]!r} can't be resolved.", "webhook.unresolvable")
        if not all(map(is_public, addresses)):
            raise _refused("It leads into a private network.", "webhook.private_address")
    return url


async def _addresses(host: str) -> set[str]:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return set()
    return {str(info[4][0]) for info in found}


def _refused(why: str, code: str) -> InvalidInput:
    return InvalidInput(f"The url can't be an endpoint's. {why}", [FieldError("/url", why)], code=code)
