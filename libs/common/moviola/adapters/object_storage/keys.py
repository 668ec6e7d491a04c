"""Which keys there can be. Ours always are such keys; a word of a client's that reached this place may not be one."""

from moviola.errors import ObjectNotFound

MAX_LENGTH = 900
MAX_COMPONENT_BYTES = 255


def components(key: str) -> tuple[str, ...]:
    """The parts between the slashes; ``ValueError`` for what would not name the same object in every storage."""
    parts = tuple(key.split("/"))
    if len(key) > MAX_LENGTH or any(not _is_component(part) for part in parts):
        raise ValueError(f"not a key of an object: {key[:MAX_LENGTH]!r}")
    return parts


def components_of_existing(key: str) -> tuple[str, ...]:
    """As ``components``; ``ObjectNotFound`` for what is no key, since no object can be there."""
    try:
        return components(key)
    except ValueError as error:
        raise ObjectNotFound("There is no object at that key.") from error


def _is_component(part: str) -> bool:
    if part in ("", ".", "..") or "\0" in part:
        return False
    try:
        return len(part.encode()) <= MAX_COMPONENT_BYTES
    except UnicodeEncodeError:
        return False
