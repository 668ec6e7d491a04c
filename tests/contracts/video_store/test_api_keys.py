"""API keys: found by their digest, of one tenant, and revoked for good."""

from moviola.api_keys import ADMIN, digest_of, make_key
from moviola.ports.video_store import VideoStore
from moviola.video import DEFAULT_TENANT, KeyId, Tenant
from tests.contracts.video_store.records import NOW, at

OTHER = Tenant("other")


async def test_a_key_is_found_by_the_digest_of_its_secret_and_by_nothing_else(store: VideoStore) -> None:
    key, secret = make_key(OTHER, "Ñandú", now=NOW, scopes=[ADMIN], expires_at=at(60))
    async with store.transaction() as tx:
        assert not await tx.api_keys.any()
        await tx.api_keys.add(key)

    async with store.snapshot() as tx:
        assert await tx.api_keys.any()
        assert await tx.api_keys.by_digest(digest_of(secret)) == key
        assert await tx.api_keys.by_digest(digest_of(secret + "x")) is None
        assert await tx.api_keys.by_digest(secret) is None
    assert secret.startswith(key.hint)
    assert secret not in repr(key)


async def test_keys_are_listed_by_tenant_the_newest_first(store: VideoStore) -> None:
    first, second = (make_key(DEFAULT_TENANT, name, now=NOW)[0] for name in ("one", "two"))
    others, _ = make_key(OTHER, "theirs", now=NOW)
    async with store.transaction() as tx:
        for key in (first, second, others):
            await tx.api_keys.add(key)

    async with store.snapshot() as tx:
        assert await tx.api_keys.all(DEFAULT_TENANT) == [second, first]
        assert await tx.api_keys.all() == [others, second, first]


async def test_a_revoked_key_stays_and_stays_revoked_as_of_then(store: VideoStore) -> None:
    key, secret = make_key(DEFAULT_TENANT, "one", now=NOW)
    async with store.transaction() as tx:
        await tx.api_keys.add(key)
        assert not await tx.api_keys.revoke(OTHER, key.id, at=at(1))
        assert not await tx.api_keys.revoke(DEFAULT_TENANT, KeyId("none"), at=at(1))
        assert await tx.api_keys.revoke(DEFAULT_TENANT, key.id, at=at(2))
        assert await tx.api_keys.revoke(DEFAULT_TENANT, key.id, at=at(3))
        await tx.api_keys.used(key.id, at=at(4))

    async with store.snapshot() as tx:
        found = await tx.api_keys.by_digest(digest_of(secret))
        assert found is not None
        assert (found.revoked_at, found.last_used_at) == (at(2), at(4))
        assert await tx.api_keys.any()
