"""Captions as cues: what is read, what is refused and where, and what a trim leaves of them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.captions import MAX_BYTES, Cue, as_vtt, read_captions, trimmed
from moviola.errors import InvalidInput
from moviola.plan import Span

VTT = """WEBVTT - a title

STYLE
::cue { color: lime }

NOTE nobody sees this

first
00:01.000 --> 00:02.500 line:0 position:20% region:nowhere
<v Ana>Ñandú</v>
and more

01:00:00.000 --> 01:00:01.000
Late
"""
SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Fish</i> & <font color="red">chips</font> < beer {\\an8}

2
00:00:03,000 --> 00:00:04,000 X1:1 X2:2 Y1:3 Y2:4
Second
"""


def read(text: str) -> tuple[Cue, ...]:
    return read_captions(text.encode(), pointer="/captions-en")


def test_webvtt_keeps_its_cues_and_their_markup_and_nothing_else() -> None:
    assert read(VTT) == (
        Cue(1.0, 2.5, "<v Ana>Ñandú</v>\nand more", "line:0 position:20%"),
        Cue(3600.0, 3601.0, "Late"),
    )


def test_srt_becomes_webvtt_with_its_markup_and_without_its_fonts() -> None:
    assert read(SRT) == (Cue(1.0, 2.5, "<i>Fish</i> &amp; chips &lt; beer "), Cue(3.0, 4.0, "Second"))


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_any_end_of_line_will_do_and_so_does_a_byte_order_mark(ending: str) -> None:
    text = "\ufeff" + SRT.replace("\n", ending)
    assert [cue.start for cue in read(text)] == [1.0, 3.0]


def test_a_line_of_markup_alone_does_not_end_a_caption() -> None:
    assert read("1\n00:00:01,000 --> 00:00:02,000\n{\\an8}\nHello\n") == (Cue(1.0, 2.0, "Hello"),)


def test_cues_come_by_their_start() -> None:
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nB\n\n00:01.000 --> 00:02.000\nA\n"
    assert [cue.text for cue in read(text)] == ["A", "B"]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "captions.empty", "not a single caption"),
        (b"WEBVTT\n", "captions.empty", "not a single caption"),
        (b"Hello", "captions.malformed", "Line 1: this is neither WebVTT nor SRT"),
        (b"<html>\n<body>", "captions.malformed", "Line 1"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nA", "captions.malformed", "Line 3: the caption ends before it begins"),
        (b"WEBVTT\n\n00:01.000 --> 00:61.000\nA", "captions.malformed", "Line 3: '00:61.000' is not a time"),
        (b"WEBVTT\n\nA\nB\n", "captions.malformed", 'Line 3: a cue needs a line with "-->"'),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nA\n00:03.000 --> 00:04.000\nB", "captions.malformed", "an empty line"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nA\x00B", "captions.malformed", "Line 4: there is a control character"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nA\u202eB".encode(), "captions.malformed", "control character"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nñ".encode("latin-1"), "captions.utf8", "UTF-8"),
        ("WEBVTT".encode("utf-16"), "captions.utf8", "UTF-8"),
        (b"x" * (MAX_BYTES + 1), "captions.too_large", "at most"),
        (b"WEBVTT\n" + b"\n00:01.000 --> 00:02.000\nA\n" * 20_001, "captions.too_many", "at most 20000"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_line(data: bytes, code: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        read_captions(data, pointer="/captions-en")
    assert refused.value.code == code
    assert refused.value.errors[0].pointer == "/captions-en"


def test_what_is_written_is_read_again_as_it_was() -> None:
    cues = read(VTT)
    assert read(as_vtt(cues)) == cues


def test_a_trim_moves_and_clips_captions() -> None:
    cues = (Cue(0.0, 1.0, "gone"), Cue(1.5, 2.5, "clipped"), Cue(3.0, 4.0, "moved"), Cue(9.0, 10.0, "gone too"))
    assert list(trimmed(cues, (Span(start=2, end=5),))) == [Cue(0.0, 0.5, "clipped"), Cue(1.0, 2.0, "moved")]


def test_a_caption_that_a_cut_goes_through_just_stays() -> None:
    spans = (Span(start=0, end=2), Span(start=3, end=5))
    assert list(trimmed((Cue(1.0, 4.0, "long"),), spans)) == [Cue(1.0, 3.0, "long")]


def test_without_a_trim_captions_are_what_they_were() -> None:
    assert list(trimmed((Cue(1.0, 4.0, "A"),), None)) == [Cue(1.0, 4.0, "A")]


@given(st.text(max_size=200))
def test_no_text_whatever_breaks_the_readers(text: str) -> None:
    for source in (text, f"WEBVTT\n\n{text}", f"1\n00:00:01,000 --> 00:00:02,000\n{text}"):
        # Refused in our own words, or read so that it can be written and read again.
        with suppress(InvalidInput):
            cues = read_captions(source.encode("utf-8", "surrogatepass"), pointer="")
            assert read(as_vtt(cues)) == cues
