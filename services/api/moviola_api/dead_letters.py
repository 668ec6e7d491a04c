"""Dead letters as a resource: list, look at, send again (one or many, or only see what would be), discard."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, model_validator

from moviola.errors import Conflict, NotFound
from moviola.ports.video_store import DeadLetterFilter, StoredDeadLetter
from moviola_api.bodies import RequestBody, read_json
from moviola_api.context import context_of, tenant_of
from moviola_api.cursors import cursor_after, read_cursor
from moviola_api.documents import Document
from moviola_api.presentation import json_response
from moviola_api.queries import Query, checked, read_query
from moviola_api.redriving import Outcome, obstacle, redrive

# What one request redrives or discards at most; asked again, it goes on.
AT_ONCE = 500


class LetterDocument(Document):
    """``queue`` and ``reason``: where and why it died; ``exchange`` and ``key``: where it goes when it is redriven.

    ``size`` is that of the body in bytes; ``truncated`` where it is too large to be kept whole and so to be redriven.
    """

    id: str
    message_id: str
    type: str
    queue: str
    reason: str
    exchange: str
    key: str
    size: int
    truncated: bool
    count: int
    times_redriven: int
    correlation_id: str | None
    user_id: str | None
    died_at: datetime
    redriven_at: datetime | None

    @classmethod
    def of(cls, letter: StoredDeadLetter) -> Self:
        return cls(**_fields(letter))


class WholeLetterDocument(LetterDocument):
    """With its headers, and its body as text or, where it is no UTF-8, in base64."""

    headers: Mapping[str, str]
    encoding: Literal["utf-8", "base64"]
    body: str

    @classmethod
    def of(cls, letter: StoredDeadLetter) -> Self:
        try:
            encoding, body = "utf-8", letter.body.decode()
        except UnicodeDecodeError:
            encoding, body = "base64", base64.b64encode(letter.body).decode()
        return cls(**_fields(letter), headers=letter.headers, encoding=encoding, body=body)


def _fields(letter: StoredDeadLetter) -> dict[str, object]:
    derived = {"truncated": letter.size > len(letter.body), "times_redriven": letter.times}
    return derived | {name: getattr(letter, name) for name in LetterDocument.model_fields if name not in derived}


class LetterList(Document):
    data: tuple[LetterDocument, ...]
    next_cursor: str | None


class Redriven(Document):
    """What became, or would become, of one letter."""

    id: str
    type: str
    exchange: str
    key: str
    outcome: Outcome


class RedrivenList(Document):
    """``more``: there are others that fit; ask again."""

    dry_run: bool
    data: tuple[Redriven, ...]
    more: bool = False


class Discarded(Document):
    discarded: int
    more: bool = False


class ListQuery(Query):
    """What ``GET /v1/dead-letters`` takes; ``redriven=true`` lists those that were sent again."""

    queue: str | None = Field(default=None, max_length=200)
    type: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=200)
    redriven: bool = False
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=200)


class Chosen(RequestBody):
    """Which letters: those of ``ids``, or ``all`` that wait and fit ``queue``, ``type`` and ``reason``."""

    ids: tuple[UUID, ...] | None = Field(default=None, min_length=1, max_length=AT_ONCE)
    all: bool = False
    queue: str | None = Field(default=None, max_length=200)
    type: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        narrowed = any((self.queue, self.type, self.reason))
        if (self.ids is not None) == self.all or (self.ids is not None and narrowed):
            raise ValueError('name "ids", or say "all": true, which "queue", "type" and "reason" may narrow')
        return self


class ToRedrive(Chosen):
    """``dry_run``: only say what would become of them."""

    dry_run: bool = False


class HowToRedrive(RequestBody):
    dry_run: bool = False


async def list_letters(request: web.Request) -> web.Response:
    """The newest first. Looking changes nothing."""
    query = read_query(request, ListQuery)
    asked = {name: getattr(query, name) for name in ("queue", "type", "reason", "redriven")}
    wanted = DeadLetterFilter(tenant=tenant_of(request), **asked)
    before = read_cursor(query.cursor, wanted) if query.cursor is not None else None
    async with context_of(request).store.snapshot() as view:
        found = await view.dead_letters.page(wanted, limit=query.limit + 1, before=before)
    shown, more = found[: query.limit], len(found) > query.limit
    return json_response(
        LetterList(
            data=tuple(LetterDocument.of(letter) for letter in shown),
            next_cursor=cursor_after(shown[-1].id, wanted) if more else None,
        )
    )


async def show_letter(request: web.Request) -> web.Response:
    return json_response(WholeLetterDocument.of(await _find(request)))


async def redrive_letter(request: web.Request) -> web.Response:
    """``Conflict`` for one that can't be sent again, with the outcome in its code."""
    how = checked(HowToRedrive, await read_json(request, optional=True))
    [one] = await _redriven(request, [await _find(request)], dry_run=how.dry_run)
    if one.outcome not in ("redriven", "would_be_redriven"):
        raise Conflict("The letter can't be sent again as it is.", code=f"dead_letter.{one.outcome}")
    return json_response(RedrivenList(dry_run=how.dry_run, data=(one,)))


async def redrive_letters(request: web.Request) -> web.Response:
    """Those of some ids, or all that fit, the oldest of a batch last; each has its outcome."""
    chosen = checked(ToRedrive, await read_json(request))
    letters, more = await _choose(request, chosen)
    data = await _redriven(request, letters, dry_run=chosen.dry_run)
    return json_response(RedrivenList(dry_run=chosen.dry_run, data=tuple(data), more=more))


async def discard_letter(request: web.Request) -> web.Response:
    await _discard(request, [await _find(request)])
    return web.Response(status=204)


async def discard_letters(request: web.Request) -> web.Response:
    letters, more = await _choose(request, checked(Chosen, await read_json(request)))
    return json_response(Discarded(discarded=await _discard(request, letters), more=more))


async def _redriven(request: web.Request, letters: Sequence[StoredDeadLetter], *, dry_run: bool) -> list[Redriven]:
    if dry_run:
        outcomes: list[Outcome] = [obstacle(letter) or "would_be_redriven" for letter in letters]
    else:
        outcomes = await redrive(context_of(request).store, letters)
    return [
        Redriven(id=letter.id, type=letter.type, exchange=letter.exchange, key=letter.key, outcome=outcome)
        for letter, outcome in zip(letters, outcomes, strict=True)
    ]


async def _discard(request: web.Request, letters: Sequence[StoredDeadLetter]) -> int:
    async with context_of(request).store.transaction() as transaction:
        return sum([await transaction.dead_letters.remove(letter.tenant, letter.id) for letter in letters])


async def _choose(request: web.Request, chosen: Chosen) -> tuple[Sequence[StoredDeadLetter], bool]:
    """The letters, and whether more than can be handled at once fit; ``NotFound`` for an id that is none."""
    tenant = tenant_of(request)
    async with context_of(request).store.snapshot() as view:
        if chosen.ids is None:
            narrowed = {name: getattr(chosen, name) for name in ("queue", "type", "reason")}
            found = await view.dead_letters.page(DeadLetterFilter(tenant=tenant, **narrowed), limit=AT_ONCE + 1)
            return found[:AT_ONCE], len(found) > AT_ONCE
        named = {str(one): await view.dead_letters.get(tenant, str(one)) for one in chosen.ids}
    if missing := [letter_id for letter_id, letter in named.items() if letter is None]:
        raise NotFound(f"There is no dead letter {missing[0]}.", code="dead_letter.not_found")
    return [letter for letter in named.values() if letter is not None], False


async def _find(request: web.Request) -> StoredDeadLetter:
    found = None
    try:
        letter_id = str(UUID(request.match_info["letter_id"]))
    except ValueError:
        pass
    else:
        async with context_of(request).store.snapshot() as view:
            found = await view.dead_letters.get(tenant_of(request), letter_id)
    if found is None:
        raise NotFound("There is no such dead letter.", code="dead_letter.not_found")
    return found
