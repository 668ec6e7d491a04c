"""The form of a result: which codecs go together, and what follows from what is said."""

import pytest

from moviola.errors import InvalidRecipe
from moviola.output import SCALES, VideoCodec, takes
from moviola.recipe import Output, parse_recipe


def form(**said: object) -> Output:
    return parse_recipe({"steps": [], "output": said}).output


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ("mp4", "h264", "aac", 23)),
        ({"video_codec": "hevc"}, ("mp4", "hevc", "aac", 28)),
        ({"video_codec": "av1"}, ("mp4", "av1", "aac", 35)),
        ({"video_codec": "vp9"}, ("webm", "vp9", "opus", 31)),
        ({"container": "webm"}, ("webm", "vp9", "opus", 31)),
        ({"container": "webm", "video_codec": "av1"}, ("webm", "av1", "opus", 35)),
        ({"audio_codec": "opus"}, ("webm", "vp9", "opus", 31)),
        ({"container": "mp4", "video_codec": "av1", "quality": 50}, ("mp4", "av1", "aac", 50)),
    ],
)
def test_what_is_left_out_follows_from_what_is_said(said: dict[str, object], expected: tuple[object, ...]) -> None:
    output = form(**said)
    assert (output.container, output.video_codec, output.audio_codec, output.quality) == expected


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"container": "webm", "video_codec": "h264"}, "/output/video_codec"),
        ({"container": "webm", "video_codec": "hevc"}, "/output/video_codec"),
        ({"container": "mp4", "video_codec": "vp9"}, "/output/video_codec"),
        ({"video_codec": "h264", "audio_codec": "opus"}, "/output/audio_codec"),
        ({"container": "webm", "audio_codec": "aac"}, "/output/audio_codec"),
        ({"container": "mkv"}, "/output/container"),
        ({"container": None}, "/output/container"),
        ({"container": ["webm"]}, "/output/container"),
        ({"video_codec": {}}, "/output/video_codec"),
        ({"quality": 52}, "/output/quality"),
        ({"video_codec": "av1", "quality": 0}, "/output/quality"),
        ({"video_codec": "vp9", "quality": 64}, "/output/quality"),
        ({"quality": "23"}, "/output/quality"),
    ],
)
def test_what_does_not_go_together_is_pointed_at(said: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        form(**said)
    assert [error.pointer for error in caught.value.errors] == [pointer]


@pytest.mark.parametrize("codec", SCALES)
def test_a_form_survives_being_stored(codec: VideoCodec) -> None:
    output = form(video_codec=codec)
    assert Output.model_validate_json(output.model_dump_json()) == output


@pytest.mark.parametrize(
    ("codec", "size", "fits"),
    [("hevc", (14, 100), False), ("hevc", (16, 100), True), ("av1", (1024, 9000), False), ("h264", (2, 2), True)],
)
def test_an_encoder_takes_pictures_of_some_sizes(codec: VideoCodec, size: tuple[int, int], fits: bool) -> None:
    assert takes(codec, *size) is fits
