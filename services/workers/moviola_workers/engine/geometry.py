"""How a picture is meant to be shown: its display matrix, its pixels' shape, its size on the screen."""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from av.buffer import Buffer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

Rotation = Literal[0, 90, 180, 270]
SQUARE = Fraction(1)
# Beyond this a pixel's shape is a mistake of the header, not of the lens.
ODD_SHAPE = 16


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes the picture upright: first a flip left to right where ``mirrored``, then ``rotation`` clockwise."""

    rotation: Rotation = 0
    mirrored: bool = False
    exact: bool = True

    @property
    def turned(self) -> bool:
        """Width and height change places."""
        return self.rotation in (90, 270)

    def filters(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Names and options of FFmpeg's filters, in order."""
        if self.mirrored:
            yield "hflip", {}
        match self.rotation:
            case 90:
                yield "transpose", {"dir": "clock"}
            case 180:
                yield "hflip", {}
                yield "vflip", {}
            case 270:
                yield "transpose", {"dir": "cclock"}


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """From the display matrix that the decoder passes on with every frame; none means upright."""
    if Type.DISPLAYMATRIX not in frame.side_data:
        return UPRIGHT
    # The stub of side_data knows one kind only.
    data = cast("Mapping[Type, Buffer]", frame.side_data)
    return orientation_from(bytes(data[Type.DISPLAYMATRIX]))


def orientation_from(matrix: bytes) -> Orientation:
    """Nine native 32-bit integers (a b u, c d v, x y w): (p, q) is shown at (a·p + c·q, b·p + d·q), y downwards.

    Angles between the right ones are rounded, and said not to be exact.
    """
    if len(matrix) < 36:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if a * d == b * c:
        return UPRIGHT  # A matrix that flattens the picture is a mistake.
    mirrored = a * d - b * c < 0
    angle = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a)) % 360
    nearest = round(angle / 90) * 90
    return Orientation(
        rotation=cast(Rotation, nearest % 360),
        mirrored=mirrored,
        exact=abs(angle - nearest) < 1,
    )


def pixel_shape(declared: Fraction | None) -> Fraction:
    """The sample aspect ratio, with what is unset or absurd taken as square."""
    if not declared or declared <= 0 or not Fraction(1, ODD_SHAPE) <= declared <= ODD_SHAPE:
        return SQUARE
    return declared


def display_size(width: int, height: int, shape: Fraction, orientation: Orientation) -> tuple[int, int]:
    """Width and height on the screen, in square pixels: the width is stretched, then the picture turned."""
    across = max(1, round(width * shape))
    return (height, across) if orientation.turned else (across, height)
