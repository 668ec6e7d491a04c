"""Objects that a producer put into the bucket itself: only below its own prefix, pinned by their ETag."""

from moviola import object_keys
from moviola.errors import Conflict, FieldError, InvalidInput, NotFound, ObjectNotFound, TooLarge
from moviola.ports.object_storage import ObjectStorage, StoredObject
from moviola.video import Tenant

MAX_KEY = 900


async def incoming_object(
    storage: ObjectStorage, tenant: Tenant, key: str, *, etag: str | None, max_bytes: int
) -> StoredObject:
    """The object at *key*, as it is now.

    ``InvalidInput`` for a key outside the tenant's prefix and for an empty object, ``NotFound``, ``Conflict`` where it
    is not the one with *etag*, ``TooLarge``.
    """
    _refuse_foreign(tenant, key)
    try:
        stored = await storage.stat(key)
    except ObjectNotFound as error:
        raise NotFound("There is no object at this key.", code="object.not_found") from error
    if etag is not None and etag.strip('"') != stored.etag:
        raise Conflict("The object at this key is another one than the ETag says.", code="object.changed")
    if stored.size == 0:
        raise InvalidInput("The object is empty.", [_at_key("The object is empty.", "empty")], code="upload.empty")
    if stored.size > max_bytes:
        raise TooLarge(f"The object has {stored.size} bytes; at most {max_bytes} are taken.")
    return stored


def _refuse_foreign(tenant: Tenant, key: str) -> None:
    prefix = object_keys.incoming(tenant)
    parts = key.removeprefix(prefix).split("/")
    plain = key.isprintable() and "\\" not in key and len(key) <= MAX_KEY
    if not key.startswith(prefix) or not plain or any(part in ("", ".", "..") for part in parts):
        message = f"The key must lie below {prefix}, without empty, '.' or '..' parts."
        raise InvalidInput(message, [_at_key(message, "key")], code="object.key_not_allowed")


def _at_key(message: str, code: str) -> FieldError:
    return FieldError("/object/key", message, code)
