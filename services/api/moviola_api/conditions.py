"""Conditional requests (RFC 9110, section 13): what a client has against what we have. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum, auto


class Verdict(Enum):
    """What the preconditions make of a GET or HEAD."""

    SEND = auto()
    NOT_MODIFIED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Validators:
    """A strong entity tag, without quotes, and the time of the last change, in whole seconds."""

    etag: str
    modified: datetime

    @property
    def etag_header(self) -> str:
        return f'"{self.etag}"'

    @property
    def modified_header(self) -> str:
        return format_datetime(self.modified.astimezone(UTC).replace(microsecond=0), usegmt=True)

    def judge(self, headers: Mapping[str, str]) -> Verdict:
        """In the order of section 13.2.2: a tag, where one is given, decides before a date is looked at."""
        if_match, if_unmodified = headers.get("If-Match"), headers.get("If-Unmodified-Since")
        if if_match is not None:
            if not self._listed(if_match, weak=False):
                return Verdict.FAILED
        elif if_unmodified is not None and self._changed_since(if_unmodified) is True:
            return Verdict.FAILED
        if_none_match, if_modified = headers.get("If-None-Match"), headers.get("If-Modified-Since")
        if if_none_match is not None:
            return Verdict.NOT_MODIFIED if self._listed(if_none_match, weak=True) else Verdict.SEND
        if if_modified is not None and self._changed_since(if_modified) is False:
            return Verdict.NOT_MODIFIED
        return Verdict.SEND

    def allow_range(self, if_range: str | None) -> bool:
        """Whether ``If-Range`` lets a range be sent: the very same strong tag, or the exact date."""
        if if_range is None:
            return True
        given = if_range.strip()
        if given.startswith(('"', "W/")):
            return given == self.etag_header
        return _date(given) == self.modified.replace(microsecond=0)

    def _listed(self, header: str, *, weak: bool) -> bool:
        if header.strip() == "*":
            return True
        # Our tags hold no comma, so that the list can simply be split at them.
        for one in header.split(","):
            tag = one.strip()
            if tag == self.etag_header or (weak and tag == f"W/{self.etag_header}"):
                return True
        return False

    def _changed_since(self, header: str) -> bool | None:
        """None where the header is no date: it is to be ignored then."""
        since = _date(header)
        return self.modified.replace(microsecond=0) > since if since is not None else None


def _date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo is not None else None
