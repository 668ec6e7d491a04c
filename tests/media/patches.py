"""Clips of even colour patches, with their colours told in every way that files do, and the patches read back.

Arithmetic as in ITU-T H.273: from gamma-coded red, green and blue (0 to 1) to luma and chroma and back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

Rgb = tuple[float, float, float]
SIDE = 32
# Kr and Kb of the matrix coefficients, by their code points.
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
PATCHES: Sequence[Rgb] = (
    (1.0, 1.0, 1.0),
    (0.5, 0.5, 0.5),
    (0.1, 0.1, 0.1),
    (0.75, 0.1, 0.1),
    (0.1, 0.75, 0.1),
    (0.1, 0.1, 0.75),
    (0.8, 0.6, 0.5),
    (0.0, 0.0, 0.0),
)


@dataclass(frozen=True)
class Colours:
    """How a clip codes its colours: code points, and what its header says of them (None: all of it)."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1
    full: bool = False
    depth: int = 8
    pixels: str = "yuv444p"
    codec: str = "ffv1"
    told: bool = True
    height: int = SIDE
    options: tuple[tuple[str, str], ...] = ()


def make_patches(path: Path, colours: Colours, patches: Sequence[Rgb] = PATCHES) -> Path:
    """Three frames of the patches side by side, each 32 pixels wide."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(colours.codec, rate=25, options=dict(colours.options))
        stream.width, stream.height, stream.pix_fmt = SIDE * len(patches), colours.height, colours.pixels
        if colours.told:
            context = stream.codec_context
            context.colorspace, context.color_primaries = colours.matrix, colours.primaries
            context.color_trc, context.color_range = colours.transfer, 2 if colours.full else 1
        for number in range(3):
            frame = _frame(colours, patches)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _frame(colours: Colours, patches: Sequence[Rgb]) -> VideoFrame:
    frame = VideoFrame(SIDE * len(patches), colours.height, colours.pixels)
    values = [_coded(rgb, colours) for rgb in patches]
    size = 2 if colours.depth > 8 else 1
    for index, plane in enumerate(frame.planes):
        width = plane.width // len(patches)
        row = b"".join(value[index].to_bytes(size, "little") * width for value in values)
        plane.update(row.ljust(plane.line_size, b"\x00") * plane.height)
    if colours.told:
        frame.colorspace, frame.color_primaries = colours.matrix, colours.primaries
        frame.color_trc, frame.color_range = colours.transfer, 2 if colours.full else 1
    return frame


def _coded(rgb: Rgb, colours: Colours) -> tuple[int, int, int]:
    red, green, blue = rgb
    kr, kb = WEIGHTS[colours.matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    half, top = 1 << (colours.depth - 1), (1 << colours.depth) - 1
    if colours.full:
        return round(luma * top), min(top, round(chroma[0] * top + half)), min(top, round(chroma[1] * top + half))
    step = 1 << (colours.depth - 8)
    return round((16 + 219 * luma) * step), round((128 + 224 * chroma[0]) * step), round((128 + 224 * chroma[1]) * step)


def read_patches(path: Path, count: int = len(PATCHES)) -> list[Rgb]:
    """The colours in the middle of each patch of the second frame, by the matrix and range that the file tells."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
    frame = frames[1]
    assert frame.format.name == "yuv420p"
    assert frame.color_range == 1
    return [_decoded(frame, (2 * number + 1) / (2 * count)) for number in range(count)]


def _decoded(frame: VideoFrame, across: float) -> Rgb:
    y, cb, cr = (
        bytes(plane)[plane.height // 2 * plane.line_size + int(plane.width * across)] for plane in frame.planes
    )
    luma, blue_difference, red_difference = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    kr, kb = WEIGHTS[frame.colorspace]
    red, blue = luma + red_difference * (2 - 2 * kr), luma + blue_difference * (2 - 2 * kb)
    return red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue
