"""The opaque cursor of a list: where the next page begins, and for which question it was given."""

import base64
import binascii
import hashlib
from uuid import UUID

from moviola.errors import FieldError, InvalidInput
from moviola.video import VideoId

_DIGEST_BYTES = 6


def cursor_after(last: str, wanted: object) -> str:
    """A cursor for what comes behind the thing with the id *last* in the answer to *wanted*, a frozen record."""
    return base64.urlsafe_b64encode(UUID(last).bytes + _digest(wanted, last)).decode().rstrip("=")


def read_cursor(cursor: str, wanted: object) -> VideoId:
    """The last id of the page before; ``InvalidInput`` for a cursor that was not given for *wanted*."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        last = VideoId(str(UUID(bytes=raw[:16])))
    except (ValueError, binascii.Error) as error:
        raise _not_ours() from error
    if raw[16:] != _digest(wanted, last):
        raise _not_ours()
    return last


def _not_ours() -> InvalidInput:
    message = "The cursor does not belong to this list; begin without one."
    return InvalidInput(message, [FieldError("/cursor", message)], code="cursor.invalid")


def _digest(wanted: object, last: str) -> bytes:
    # Not a secret: it catches a cursor that was cut, mistyped or carried over to another filter.
    question = repr((last, wanted))
    return hashlib.sha256(question.encode()).digest()[:_DIGEST_BYTES]
