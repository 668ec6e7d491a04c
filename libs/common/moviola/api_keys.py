"""API keys: 256 random bits that are shown once, and by whose SHA-256 their owner is found.

A digest needs no salt here: nobody can guess what it was made of. Looking it up in an index tells an attacker nothing
about a key by how long it takes, since he doesn't choose the digests that he tries.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from moviola.video import KeyId, Tenant, new_id

Secret = NewType("Secret", str)
PREFIX = "mov_"
# What may manage the keys of its tenant. More scopes are to come; a key without any may do all the rest.
ADMIN = "admin"
_HINT = len(PREFIX) + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key; ``hint`` is its beginning, for people to know it by.

    ``last_used_at`` is rough: it is not written at every request.
    """

    id: KeyId
    tenant: Tenant
    name: str
    hint: str
    sha256: str
    scopes: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def make_key(
    tenant: Tenant, name: str, *, now: datetime, scopes: Sequence[str] = (), expires_at: datetime | None = None
) -> tuple[ApiKey, Secret]:
    """A key that nobody has had, and what is kept of it."""
    secret = Secret(PREFIX + secrets.token_urlsafe(32))
    key = ApiKey(
        id=KeyId(new_id()),
        tenant=tenant,
        name=name,
        hint=secret[:_HINT],
        sha256=digest_of(secret),
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    return key, secret


def digest_of(secret: str) -> str:
    """What a key is found by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
