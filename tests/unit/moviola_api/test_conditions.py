"""Preconditions and If-Range (RFC 9110, section 13)."""

from datetime import UTC, datetime

import pytest

from moviola_api.conditions import Validators, Verdict

# With a fraction, which a HTTP date can't carry.
OURS = Validators("abc", datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC))
THEN = "Sun, 01 Mar 2026 12:00:00 GMT"
BEFORE = "Sun, 01 Mar 2026 11:59:59 GMT"
AFTER = "Sun, 01 Mar 2026 12:00:01 GMT"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, Verdict.SEND),
        ({"If-None-Match": '"abc"'}, Verdict.NOT_MODIFIED),
        ({"If-None-Match": 'W/"abc"'}, Verdict.NOT_MODIFIED),
        ({"If-None-Match": '"x", "abc"'}, Verdict.NOT_MODIFIED),
        ({"If-None-Match": "*"}, Verdict.NOT_MODIFIED),
        ({"If-None-Match": '"x"'}, Verdict.SEND),
        ({"If-None-Match": '"x"', "If-Modified-Since": AFTER}, Verdict.SEND),
        ({"If-Modified-Since": THEN}, Verdict.NOT_MODIFIED),
        ({"If-Modified-Since": AFTER}, Verdict.NOT_MODIFIED),
        ({"If-Modified-Since": BEFORE}, Verdict.SEND),
        ({"If-Modified-Since": "yesterday"}, Verdict.SEND),
        ({"If-Match": '"abc"'}, Verdict.SEND),
        ({"If-Match": "*"}, Verdict.SEND),
        ({"If-Match": '"x"'}, Verdict.FAILED),
        ({"If-Match": 'W/"abc"'}, Verdict.FAILED),
        ({"If-Match": '"abc"', "If-Unmodified-Since": BEFORE}, Verdict.SEND),
        ({"If-Unmodified-Since": BEFORE}, Verdict.FAILED),
        ({"If-Unmodified-Since": THEN}, Verdict.SEND),
        ({"If-Unmodified-Since": "soon"}, Verdict.SEND),
        ({"If-Match": '"abc"', "If-None-Match": '"abc"'}, Verdict.NOT_MODIFIED),
    ],
)
def test_preconditions_decide_in_the_order_of_the_rfc(headers: dict[str, str], verdict: Verdict) -> None:
    assert OURS.judge(headers) is verdict


@pytest.mark.parametrize(
    ("if_range", "allowed"),
    [
        (None, True),
        ('"abc"', True),
        ('"x"', False),
        ('W/"abc"', False),
        (THEN, True),
        (AFTER, False),
        (BEFORE, False),
        ("nonsense", False),
    ],
)
def test_if_range_wants_the_very_same_file(if_range: str | None, allowed: bool) -> None:
    assert OURS.allow_range(if_range) is allowed


def test_the_date_is_sent_as_the_rfc_wants_it() -> None:
    assert OURS.modified_header == THEN
