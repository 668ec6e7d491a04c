"""What the numbers in a picture mean, and what they shall mean in the result.

Code points as in ITU-T H.273, which FFmpeg uses too. Whatever a file leaves unsaid is taken as players take it: BT.709
for pictures of 720 lines and more, BT.601 below; and the result says it aloud, so that scaling changes no colour.
"""

from dataclasses import dataclass, replace

from av.video.frame import VideoFrame

MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "jedec-p22",
}
TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
RANGES = {1: "tv", 2: "pc"}
HDR = {16: "pq", 18: "hlg"}
UNSAID = 2
RGB = 0
BT709 = 1
SMPTE170M = 6
LIMITED, FULL = 1, 2
# Matrices that every player knows: these stay as they are.
COMMON = frozenset({1, 5, 6})


@dataclass(frozen=True, slots=True)
class Colour:
    """Code points of matrix, primaries and transfer, and the range (1 limited, 2 full)."""

    matrix: int
    primaries: int
    transfer: int
    range: int

    @property
    def hdr(self) -> str | None:
        return HDR.get(self.transfer)


def colour_of(frame: VideoFrame) -> Colour:
    """What the frame says, with its gaps filled."""
    rgb = frame.format.is_rgb
    usual = BT709 if frame.height >= 720 or frame.width >= 1280 else SMPTE170M
    full = rgb or frame.format.name.startswith("yuvj") or frame.color_range == FULL
    matrix = frame.colorspace if frame.colorspace in MATRICES else usual
    return Colour(
        matrix=RGB if rgb else (usual if matrix == RGB else matrix),
        primaries=frame.color_primaries if frame.color_primaries in PRIMARIES else usual,
        transfer=frame.color_trc if frame.color_trc in TRANSFERS else usual,
        range=FULL if full else LIMITED,
    )


def colour_for(source: Colour) -> Colour:
    """The result's: standard range, always limited; common kinds of SDR keep theirs, all else becomes BT.709."""
    if source.hdr or (source.matrix not in COMMON and source.matrix != RGB):
        return Colour(matrix=BT709, primaries=BT709, transfer=BT709, range=LIMITED)
    if source.matrix == RGB:
        return replace(source, matrix=BT709, range=LIMITED)
    return replace(source, range=LIMITED)
