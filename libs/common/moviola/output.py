"""The form of a result: container, codecs, quality and effort.

Which codecs go together, and what is taken where nothing is said, is written here once, for the recipe, the planner and
the workers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Container = Literal["mp4", "webm"]
VideoCodec = Literal["h264", "hevc", "av1", "vp9"]
AudioCodec = Literal["aac", "opus"]
Name = TypeVar("Name", bound=str)
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


@dataclass(frozen=True, slots=True)
class _Holds:
    """What a container may hold; the first picture codec is taken where none is asked for."""

    video: tuple[VideoCodec, ...]
    audio: AudioCodec


@dataclass(frozen=True, slots=True)
class _Scale:
    """A codec's own constant rate factor: lower is better. ``usual`` is taken where none is asked for."""

    lowest: int
    highest: int
    usual: int


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The pictures that an encoder takes, in pixels."""

    smallest: int
    width: int = 16384
    height: int = 16384


# What players know: Opus in MP4 and HEVC in WebM are left out on purpose.
HOLDS: Mapping[Container, _Holds] = {
    "mp4": _Holds(video=("h264", "hevc", "av1"), audio="aac"),
    "webm": _Holds(video=("vp9", "av1"), audio="opus"),
}
# The usual ones look about alike, and are those of the encoders' own guides.
SCALES: Mapping[VideoCodec, _Scale] = {
    "h264": _Scale(0, 51, 23),
    "hevc": _Scale(0, 51, 28),
    "av1": _Scale(1, 63, 35),
    "vp9": _Scale(0, 63, 31),
}
# Measured: x265 refuses sides below 16 pixels, SVT-AV1 more than 8704 lines.
SIZES: Mapping[VideoCodec, _Sizes] = {
    "h264": _Sizes(2),
    "hevc": _Sizes(16),
    "av1": _Sizes(4, height=8704),
    "vp9": _Sizes(2),
}


def takes(codec: VideoCodec, width: int, height: int) -> bool:
    """Whether pictures of that size can be encoded so."""
    sizes = SIZES[codec]
    return sizes.smallest <= min(width, height) and width <= sizes.width and height <= sizes.height


class Output(BaseModel):
    """The form of the result.

    ``quality`` is the codec's own CRF, lower is better: 0 to 51 for h264 (0 is lossless there) and hevc, 1 to 63 for
    av1, 0 to 63 for vp9. ``preset`` trades time for size, in x264's words for every codec. An mp4 holds h264, hevc or
    av1 with aac, a webm vp9 or av1 with opus; what is left out follows from what is said, and quality from the codec.
    ``verify``: before it is ready, a result is decoded at a few places, or with ``full`` all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: Container = "mp4"
    video_codec: VideoCodec = "h264"
    audio_codec: AudioCodec = "aac"
    quality: Annotated[int, Field(ge=0, le=63, strict=True)] = 23
    preset: Preset = "medium"
    verify: Literal["samples", "full"] = "samples"

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        container = _known(value.get("container", _container_for(value)), HOLDS)
        if container is None:
            return value
        holds = HOLDS[container]
        codec = _known(value.get("video_codec", holds.video[0]), SCALES)
        usual: dict[str, object] = {"container": container, "audio_codec": holds.audio}
        if codec is not None:
            usual |= {"video_codec": codec, "quality": SCALES[codec].usual}
        return usual | value

    @field_validator("video_codec")
    @classmethod
    def _fits_container(cls, codec: VideoCodec, info: ValidationInfo) -> VideoCodec:
        container = info.data.get("container")
        if container is not None and codec not in HOLDS[container].video:
            raise ValueError(f"{container} holds {' or '.join(HOLDS[container].video)}, not {codec}")
        return codec

    @field_validator("audio_codec")
    @classmethod
    def _sounds_in_container(cls, codec: AudioCodec, info: ValidationInfo) -> AudioCodec:
        container = info.data.get("container")
        if container is not None and codec != HOLDS[container].audio:
            raise ValueError(f"the sound in {container} is {HOLDS[container].audio}, not {codec}")
        return codec

    @field_validator("quality")
    @classmethod
    def _on_the_codecs_scale(cls, quality: int, info: ValidationInfo) -> int:
        codec = info.data.get("video_codec")
        if codec is not None and not SCALES[codec].lowest <= quality <= SCALES[codec].highest:
            raise ValueError(f"quality of {codec} is from {SCALES[codec].lowest} to {SCALES[codec].highest}")
        return quality


def _container_for(said: Mapping[str, object]) -> Container:
    """The container that the codecs point to, where none is named."""
    codec = said.get("video_codec")
    return "webm" if codec == "vp9" or (codec in (None, "av1") and said.get("audio_codec") == "opus") else "mp4"


def _known(said: object, table: Mapping[Name, object]) -> Name | None:
    """The name in the table that was said, if it is one; a client may have said anything."""
    return next((name for name in table if name == said), None)
