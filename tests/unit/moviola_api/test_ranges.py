"""Range headers: what they mean for a file of 100 bytes (RFC 9110, section 14)."""

import pytest

from moviola_api.ranges import ByteRange, Multipart, parse_ranges

SIZE = 100


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, 100),
        ("bytes=-5", 95, 100),
        ("bytes=-500", 0, 100),
        ("bytes=90-500", 90, 100),
        ("bytes=99-99", 99, 100),
        ("Bytes=0-0", 0, 1),
        ("bytes= 0-9 ,", 0, 10),
        ("bytes=0-18446744073709551615"[:27], 0, 100),
    ],
)
def test_one_range_is_clipped_to_the_file(header: str, start: int, end: int) -> None:
    assert parse_ranges(header, SIZE) == [ByteRange(start, end)]


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0", "bytes=100-,200-201"])
def test_a_range_beyond_the_end_can_not_be_satisfied(header: str) -> None:
    assert parse_ranges(header, SIZE) == []


@pytest.mark.parametrize(
    "header",
    [
        "bytes=5-4",
        "bytes=abc",
        "bytes=",
        "bytes=,",
        "bytes",
        "bytes=-",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=1 - 2",
        "bytes=٣-٤",
        "items=0-9",
        "bytes=0-9,x",
        "bytes=" + "9" * 40 + "-",
    ],
)
def test_a_malformed_header_is_ignored(header: str) -> None:
    assert parse_ranges(header, SIZE) is None


def test_any_range_of_an_empty_file_can_not_be_satisfied() -> None:
    assert parse_ranges("bytes=0-", 0) == []
    assert parse_ranges("bytes=-5", 0) == []


def test_overlapping_and_touching_ranges_become_one() -> None:
    assert parse_ranges("bytes=0-9,10-19,15-29", SIZE) == [ByteRange(0, 30)]


def test_separate_ranges_keep_the_order_in_which_they_were_asked_for() -> None:
    assert parse_ranges("bytes=50-59,0-9", SIZE) == [ByteRange(50, 60), ByteRange(0, 10)]


def test_an_unsatisfiable_range_among_others_is_left_out() -> None:
    assert parse_ranges("bytes=0-9,200-", SIZE) == [ByteRange(0, 10)]


def test_eight_separate_ranges_are_served_and_nine_are_ignored() -> None:
    def specs(count: int) -> str:
        return "bytes=" + ",".join(f"{n * 10}-{n * 10 + 1}" for n in range(count))

    assert len(parse_ranges(specs(8), SIZE) or ()) == 8
    assert parse_ranges(specs(9), SIZE) is None


def test_a_multipart_body_is_as_long_as_it_says() -> None:
    body = Multipart([ByteRange(0, 10), ByteRange(50, 60)], SIZE, "video/mp4", "b")

    written = body.head(0) + b"x" * 10 + body.head(1) + b"x" * 10 + body.closing

    assert len(written) == body.length
    assert written.startswith(b"--b\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-9/100\r\n\r\n")
    assert written.endswith(b"\r\n--b--\r\n")
