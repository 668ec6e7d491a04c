"""Every error answers one question: what now?

MoviolaError
├── Refused                 tell the client; the same request will fail again
│   ├── InvalidInput        one entry per bad field, each with a JSON pointer
│   │   └── InvalidRecipe
│   ├── NotFound            no such thing for this tenant
│   ├── Conflict            the thing is not in a state that allows this
│   └── TooLarge            above a published limit
├── Unavailable             retry later, nothing is known to be lost
│   ├── BusUnavailable
│   ├── StoreUnavailable
│   └── StorageUnavailable
├── StaleVersion            somebody else wrote first: load again and decide anew
├── ObjectNotFound          the object is not there
├── ObjectChanged           the object is not the one that was pinned by its ETag
├── NoSpace                 the disk or bucket is full
├── MalformedMessage        dead-letter it: reading it again will not help
└── TaskFailure             a task ended badly, with a stable code and whether trying again may help
"""

from collections.abc import Sequence
from dataclasses import dataclass


class MoviolaError(Exception):
    """Base of every error that Moviola raises on purpose; its text is one sentence fit for a person."""


class Refused(MoviolaError):
    """The request can't be met as it stands; ``code`` is stable and documented."""

    code: str = "request.refused"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: ``pointer`` is an RFC 6901 JSON pointer into what the client sent."""

    pointer: str
    message: str
    code: str = "invalid"


class InvalidInput(Refused):
    """Input of the wrong form; ``errors`` has one entry per bad field."""

    code = "request.invalid"

    def __init__(self, message: str, errors: Sequence[FieldError] = (), *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.errors = tuple(errors)


class InvalidRecipe(InvalidInput):
    """A recipe that can't be run on any video, or not on this one."""

    code = "recipe.invalid"


class NotFound(Refused):
    """No such thing for this tenant; a thing of another tenant is not found either."""

    code = "not_found"


class Conflict(Refused):
    """The thing exists, in a state that does not allow what was asked."""

    code = "conflict"


class TooLarge(Refused):
    """Larger than a published limit."""

    code = "upload.too_large"


class Unavailable(MoviolaError):
    """A part that we stand on does not answer; retry later."""


class BusUnavailable(Unavailable):
    """The message bus did not confirm: the message may or may not arrive, so send it again."""


class StoreUnavailable(Unavailable):
    """The database did not answer; whether the last commit took effect is unknown."""


class StorageUnavailable(Unavailable):
    """The object storage did not answer, or answered with an error that passes."""


class StaleVersion(MoviolaError):
    """The row's version is no longer the one that was read: load again and decide anew."""


class ObjectNotFound(MoviolaError):
    """There is no object at that key."""


class ObjectChanged(MoviolaError):
    """The object at that key is not the one pinned by the expected ETag."""


class NoSpace(MoviolaError):
    """The disk or the bucket has no room for what was to be written; nothing half-written is visible."""


class MalformedMessage(MoviolaError):
    """A message of a wrong form, type or version; it goes to the dead letters."""


class TaskFailure(MoviolaError):
    """A task that ended badly.

    ``code`` starts with ``media.``, ``recipe.``, ``worker.`` or ``storage.``; ``permanent`` says that another
    attempt on the same input would end the same way.
    """

    def __init__(self, code: str, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.code = code
        self.permanent = permanent
