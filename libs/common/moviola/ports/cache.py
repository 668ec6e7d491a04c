"""A cache of small values, shared by all replicas where there is one.

Never needed for correctness: where it is away it behaves as if it were empty, within 200 ms, and says so in the log. No
method raises.
"""

from typing import Protocol


class Cache(Protocol):
    async def get(self, key: str) -> bytes | None:
        """The value, or None: never set, expired, evicted or out of reach."""

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Keep *value* for about *ttl* seconds, or drop it; it replaces what was there."""

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Set only if the key holds nothing; False if it did, or if the cache is out of reach."""

    async def delete(self, key: str) -> None:
        """Forget the key; forgetting nothing is not an error."""

    async def check(self) -> bool:
        """Whether it answers now."""
