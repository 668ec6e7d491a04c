"""The cursor of a list."""

import pytest

from moviola.errors import InvalidInput
from moviola.ports.video_store import VideoFilter
from moviola.video import DEFAULT_TENANT, Status, VideoId, new_id
from moviola_api.cursors import cursor_after, read_cursor

ALL = VideoFilter(tenant=DEFAULT_TENANT)


def test_a_cursor_leads_back_to_its_video() -> None:
    last = VideoId(new_id())

    assert read_cursor(cursor_after(last, ALL), ALL) == last


def test_a_cursor_of_another_filter_is_refused() -> None:
    cursor = cursor_after(VideoId(new_id()), ALL)

    with pytest.raises(InvalidInput) as refused:
        read_cursor(cursor, VideoFilter(tenant=DEFAULT_TENANT, status=Status.READY))

    assert refused.value.code == "cursor.invalid"
    assert refused.value.errors[0].pointer == "/cursor"


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "AAAA", "A" * 30, "é"])
def test_nonsense_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(cursor, ALL)
