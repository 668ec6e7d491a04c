"""The facts of a media file, as the probe task reads them. Pure data: reading them is the workers' business."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Facts(BaseModel):
    """Frozen; unknown fields are ignored, so that an older service reads a newer worker's facts."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Warning(Facts):
    """Something unusual that was handled; ``code`` is stable (``probe.variable_frame_rate``)."""

    code: str
    message: str


class Cutting(Facts):
    """Whether parts can be cut out of the picture by copying its packets; ``reason`` says why not ("the file has …").

    ``starts`` are the seconds of the file at which copying may begin; None where they are too many to list, or where
    only a part of the file was read. ``longest_start`` is the longest time between two of them, ``longest_stop`` the
    longest time between places where copying may stop; both of what was read.
    """

    safe: bool
    reason: str | None = None
    starts: tuple[float, ...] | None = None
    longest_start: float = 0.0
    longest_stop: float = 0.0


class VideoStream(Facts):
    """The picture. ``width`` × ``height`` are as coded; ``display_*`` after sample aspect ratio and rotation.

    ``rotation`` is clockwise degrees to apply for upright display: 0, 90, 180 or 270. ``frame_rate`` is the average,
    frames a second, and ``frame_rate_min`` and ``_max`` what the longest and the shortest time between pictures come
    to; ``longest_gap`` is that longest time. ``keyframe_interval`` is the longest seen, in seconds, where it was
    measured, and ``gop_*`` count pictures. ``open_gops``: pictures that follow a key frame are shown before it.
    ``frames_counted``: ``frames`` were counted, not taken from a header. ``hdr_format`` says more than ``hdr``: HDR10,
    HDR10+, Dolby Vision, HLG or PQ. ``cut`` is None where an older worker read the facts. Of a large file only the
    beginning and the end are read; what would need all of it is None.
    """

    index: int
    codec: str
    profile: str | None = None
    level: str | None = None
    width: int
    height: int
    display_width: int
    display_height: int
    rotation: Literal[0, 90, 180, 270] = 0
    mirrored: bool = False
    sample_aspect_ratio: str = "1:1"
    display_aspect_ratio: str | None = None
    pixel_format: str
    bit_depth: int = 8
    chroma: str | None = None
    frame_rate: float
    frame_rate_min: float | None = None
    frame_rate_max: float | None = None
    variable_frame_rate: bool = False
    frames: int | None = None
    frames_counted: bool = False
    longest_gap: float | None = None
    start_time: float = 0.0
    duration: float | None = None
    bit_rate: int | None = None
    color_range: str | None = None
    color_primaries: str | None = None
    color_transfer: str | None = None
    color_space: str | None = None
    hdr: str | None = None
    hdr_format: str | None = None
    interlaced: bool = False
    field_order: str | None = None
    keyframe_interval: float | None = None
    gop_average: float | None = None
    gop_longest: int | None = None
    open_gops: bool | None = None
    b_frames: bool | None = None
    cut: Cutting | None = None


class AudioStream(Facts):
    """The sound. ``start_time`` in seconds on the file's clock, so that A/V offset can be kept."""

    index: int
    codec: str
    profile: str | None = None
    sample_rate: int
    channels: int
    layout: str | None = None
    language: str | None = None
    start_time: float = 0.0
    duration: float | None = None
    default: bool = False
    bit_rate: int | None = None


class OtherStream(Facts):
    """A stream that is neither the picture nor a sound: another picture, a cover, subtitles, data, an attachment."""

    index: int
    kind: Literal["video", "cover", "subtitle", "data", "attachment", "unknown"]
    codec: str | None = None
    language: str | None = None
    title: str | None = None


class Loudness(Facts):
    """By EBU R128: ``integrated`` in LUFS, ``true_peak`` in dBTP, ``range`` in LU; None where all is silent."""

    integrated: float | None = Field(default=None, allow_inf_nan=False)
    true_peak: float | None = Field(default=None, allow_inf_nan=False)
    range: float | None = Field(default=None, allow_inf_nan=False)


class Probe(Facts):
    """A file that has at least one video stream; ``video`` is the one that is shown (not an attached picture).

    ``sound_offset`` is how many seconds after the picture the first sound begins. ``fast_start``: the index lies in
    front of the contents; None for containers without one. ``loudness`` is measured only where a recipe normalizes, and
    then of the parts that it keeps, mixed as it says.
    """

    container: str
    container_name: str | None = None
    size: int
    duration: float = Field(ge=0)
    bit_rate: int | None = None
    video: VideoStream
    audio: tuple[AudioStream, ...] = ()
    others: tuple[OtherStream, ...] = ()
    subtitles: int = 0
    chapters: int = 0
    sound_offset: float | None = None
    fast_start: bool | None = None
    loudness: Loudness | None = None
    warnings: tuple[Warning, ...] = ()
