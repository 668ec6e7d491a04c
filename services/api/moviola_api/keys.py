"""``/v1/keys``: API keys of the caller's tenant, for who has an admin key; before there is any, for this machine."""

from datetime import datetime
from typing import Annotated, Literal, Self

from aiohttp import web
from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from moviola.api_keys import ApiKey, make_key
from moviola.errors import FieldError, InvalidInput, NotFound
from moviola.recipe import field_errors
from moviola.video import KeyId, utc_now
from moviola_api.bodies import RequestBody, read_json
from moviola_api.context import caller_of, context_of, tenant_of
from moviola_api.documents import Document
from moviola_api.guard import is_loopback
from moviola_api.presentation import json_response
from moviola_api.problems import Forbidden

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class KeyRequest(RequestBody):
    """``scopes``: ``admin`` may manage keys; without it a key may do all the rest."""

    name: Name
    scopes: Annotated[tuple[Literal["admin"], ...], Field(max_length=10)] = ()
    expires_at: AwareDatetime | None = None


class KeyDocument(Document):
    """``hint`` is how the key begins; ``last_used_at`` is true to the hour."""

    id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey, /, **more: object) -> Self:
        shown = {name: getattr(key, name) for name in KeyDocument.model_fields}
        return cls.model_validate({**shown, **more})


class NewKeyDocument(KeyDocument):
    """``key`` is shown this once."""

    key: str


class KeyList(Document):
    data: tuple[KeyDocument, ...]


async def create_key(request: web.Request) -> web.Response:
    """201 with the key itself, which nobody can be told again."""
    _refuse_unless_admin(request)
    wanted = _checked(await read_json(request))
    now = utc_now()
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidInput("The key would have expired already.", [FieldError("/expires_at", "It has passed.", "past")])
    key, secret = make_key(tenant_of(request), wanted.name, now=now, scopes=wanted.scopes, expires_at=wanted.expires_at)
    async with context_of(request).store.transaction() as transaction:
        await transaction.api_keys.add(key)
    response = json_response(NewKeyDocument.of(key, key=secret), status=201)
    response.headers["Location"] = f"/v1/keys/{key.id}"
    return response


async def list_keys(request: web.Request) -> web.Response:
    """The newest first, those that were revoked or have expired too."""
    _refuse_unless_admin(request)
    async with context_of(request).store.snapshot() as transaction:
        keys = await transaction.api_keys.all(tenant_of(request))
    return json_response(KeyList(data=tuple(KeyDocument.of(key) for key in keys)))


async def revoke_key(request: web.Request) -> web.Response:
    """204; from the next request on it is good for nothing."""
    _refuse_unless_admin(request)
    async with context_of(request).store.transaction() as transaction:
        key_id = KeyId(request.match_info["key_id"])
        if not await transaction.api_keys.revoke(tenant_of(request), key_id, at=utc_now()):
            raise NotFound("There is no such key.", code="key.not_found")
    return web.Response(status=204)


def _refuse_unless_admin(request: web.Request) -> None:
    caller = caller_of(request)
    local = caller.key is None and is_loopback(context_of(request).settings.host)
    if not local and not caller.is_admin:
        raise Forbidden("Only an admin key may manage keys.", code="auth.admin_required")


def _checked(body: object) -> KeyRequest:
    try:
        return KeyRequest.model_validate(body)
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error
