"""What files are called and what type they have, towards a browser."""

import pytest

from moviola_api.intake import tame_filename
from moviola_api.naming import content_disposition, content_type_of, content_type_of_original, download_name


@pytest.mark.parametrize(
    ("filename", "value"),
    [
        ("result.mp4", 'inline; filename="result.mp4"'),
        ("año €.mp4", "inline; filename=\"a_o _.mp4\"; filename*=UTF-8''a%C3%B1o%20%E2%82%AC.mp4"),
        ('a"b\\c.mp4', "inline; filename=\"a_b_c.mp4\"; filename*=UTF-8''a%22b%5Cc.mp4"),
        ("a\r\nSet-Cookie: x", "inline; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ("50%.mp4", "inline; filename=\"50_.mp4\"; filename*=UTF-8''50%25.mp4"),
    ],
)
def test_a_name_can_not_break_out_of_the_header(filename: str, value: str) -> None:
    assert content_disposition("inline", filename) == value


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\clip.mp4", "clip.mp4"),
        ("a\x00b\r\nc.mp4", "abc.mp4"),
        ("\u202egpj.exe", "gpj.exe"),
        ("", "video"),
        ("///", "video"),
        ("🎬 año.mp4", "🎬 año.mp4"),
        ("x" * 300 + ".mp4", "x" * 255),
    ],
)
def test_a_file_name_is_tamed_for_showing(sent: str, kept: str) -> None:
    assert tame_filename(sent) == kept


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("clip.MP4", "video/mp4"),
        ("clip.webm", "video/webm"),
        ("page.html", "application/octet-stream"),
        ("image.png", "application/octet-stream"),
        ("picture.svg", "application/octet-stream"),
        ("noname", "application/octet-stream"),
    ],
)
def test_an_original_is_a_video_or_nothing_that_a_browser_would_open(filename: str, media_type: str) -> None:
    assert content_type_of_original(filename) == media_type


def test_results_are_typed_and_named_by_our_own_names() -> None:
    assert content_type_of("poster.jpg") == "image/jpeg"
    assert content_type_of("hls/master.m3u8") == "application/vnd.apple.mpegurl"
    assert download_name("result.mp4", "holiday.mov") == "holiday-result.mp4"
    assert download_name("hls/master.m3u8", "holiday") == "holiday-hls-master.m3u8"
    assert download_name("original", "holiday.mov") == "holiday.mov"
