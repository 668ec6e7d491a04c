"""Numbers and side data of a stream in the words that people use for them."""

from collections.abc import Mapping
from math import gcd
from typing import cast

from av.buffer import Buffer
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

# As FFmpeg's AVFieldOrder: which field is coded first, and which is shown first.
FIELD_ORDERS: Mapping[int, str] = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
_CHROMA: Mapping[tuple[int, int], str] = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 4): "4:1:0",
}
# A number that every chroma factor divides.
_SIDE = 64


def level(codec: str, number: int) -> str | None:
    """H.264 (Annex A.3) counts in tenths, HEVC (A.4) in thirtieths, AV1 (A.3) from 2.0 in quarters."""
    match codec:
        case "h264" if number > 0:
            return f"{number / 10:.1f}"
        case "hevc" if number > 0:
            return f"{number / 30:.1f}"
        case "av1" if 0 <= number < 31:
            return f"{2 + number // 4}.{number % 4}"
    return None


def chroma(form: VideoFormat) -> str | None:
    """How many colour samples there are to each of brightness: "4:2:0"; None for RGB and what has no usual name."""
    if form.is_rgb:
        return None
    if len(form.components) < 3:
        return "4:0:0"
    return _CHROMA.get((_SIDE // form.chroma_width(_SIDE), _SIDE // form.chroma_height(_SIDE)))


def ratio(across: int, down: int) -> str:
    """Of two sides: "16:9"."""
    common = gcd(across, down) or 1
    return f"{across // common}:{down // common}"


def hdr_format(frame: VideoFrame, transfer: str | None) -> str | None:
    """By the transfer function and what is said beside the picture; None for standard range."""
    # The stub of side_data knows one kind only.
    kinds = set(cast("Mapping[Type, Buffer]", frame.side_data))
    if kinds & {Type.DOVI_METADATA, Type.DOVI_RPU_BUFFER}:
        return "Dolby Vision"
    if transfer == "hlg":
        return "HLG"
    if transfer != "pq":
        return None
    if Type.DYNAMIC_HDR_PLUS in kinds:
        return "HDR10+"
    return "HDR10" if kinds & {Type.MASTERING_DISPLAY_METADATA, Type.CONTENT_LIGHT_LEVEL} else "PQ"
