"""Reading server-sent events, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.event_stream import MAX_PENDING_BYTES, EventStreamReader, EventTooLarge, ServerSentEvent

STREAM = (
    b': a comment\n\nid: 1\nevent: state\ndata: {"a":\r\ndata: 1}\r\n\r\n'
    b"retry: 2000\n\ndata:no space\rdata: r\xc3\xa9\r\rid: 2\n\nevent: empty\n\nevent: last\ndata\n\n"
)
EVENTS = [
    ServerSentEvent("state", '{"a":\n1}', "1"),
    ServerSentEvent("message", "no space\nré", "1"),
    ServerSentEvent("last", "", "2"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    reader = EventStreamReader()
    places = [0, *sorted(cuts), len(STREAM)]

    events = [event for a, b in pairwise(places) for event in reader.feed(STREAM[a:b])]

    assert events == EVENTS


def test_last_id_outlives_the_event_that_named_it() -> None:
    reader = EventStreamReader(last_id="7")

    assert [event.id for event in reader.feed(b"data: x\n\nid: 8\n\ndata: y\n\n")] == ["7", "8"]
    assert reader.last_id == "8"


def test_unfinished_event_is_not_told() -> None:
    assert list(EventStreamReader().feed(b"data: half")) == []


def test_endless_line_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        list(EventStreamReader().feed(b"x" * (MAX_PENDING_BYTES + 1)))
