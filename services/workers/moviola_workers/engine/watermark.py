"""The mark, drawn once: a frame with alpha, and the place where FFmpeg lays it over the pictures."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from moviola.plan import Overlay, Spot
from moviola_workers.engine.failures import refused
from moviola_workers.engine.lettering import letters

# A text without ``scale`` is this high, relative to the picture; an image keeps its size.
TEXT_HEIGHT = 0.06
MOST_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
CLEAR = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Mark:
    """``image`` is RGBA; ``left`` and ``top`` are even, so that the mark's chroma falls on the picture's."""

    image: Image.Image
    left: int
    top: int


def draw(overlay: Overlay, image: Path | None, width: int, height: int) -> Mark:
    """The mark for a picture of that size, never larger than the picture within its margins.

    ``image`` is the file for ``overlay.image``. One that is no PNG, JPEG or WebP is ``recipe.bad_watermark``.
    """
    margin = overlay.margin if overlay.x is None else 0
    room = max(2, width - 2 * margin), max(2, height - 2 * margin)
    if overlay.text is not None:
        drawn = letters(overlay, round(height * (overlay.scale or TEXT_HEIGHT)), room)
    else:
        drawn = _image(image, round(width * overlay.scale) if overlay.scale else None, room)
    drawn.putalpha(drawn.getchannel("A").point([round(value * overlay.opacity) for value in range(256)]))
    left, top = _place(overlay, drawn.size, (width, height))
    if overlay.tile:
        gap = round(drawn.height * overlay.spacing)
        return Mark(image=_tiled(drawn, (left, top), (width, height), gap), left=0, top=0)
    return _aligned(drawn, left, top)


def _place(overlay: Overlay, size: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
    """The mark's upper left corner, such that all of it lies in the picture."""
    words = overlay.position.split("-")
    places = []
    for length, whole, spot, near, far in zip(
        size, picture, (overlay.x, overlay.y), ("left", "top"), ("right", "bottom"), strict=True
    ):
        if spot is not None:
            place = _spotted(spot, length, whole)
        elif near in words:
            place = overlay.margin
        elif far in words:
            place = whole - overlay.margin - length
        else:
            place = (whole - length) // 2
        places.append(max(0, min(place, whole - length)))
    return places[0], places[1]


def _spotted(spot: Spot, length: int, whole: int) -> int:
    distance = spot.pixels + round(spot.share * whole)
    return whole - length - distance if spot.far else distance


def _aligned(drawn: Image.Image, left: int, top: int) -> Mark:
    """The mark at exactly that place, on a canvas that begins at even coordinates and has even sides."""
    over, down = left % 2, top % 2
    size = _even(drawn.width + over), _even(drawn.height + down)
    if size == drawn.size:
        return Mark(image=drawn, left=left, top=top)
    canvas = Image.new("RGBA", size, CLEAR)
    canvas.paste(drawn, (over, down))
    return Mark(image=canvas, left=left - over, top=top - down)


def _tiled(drawn: Image.Image, at: tuple[int, int], picture: tuple[int, int], gap: int) -> Image.Image:
    """The mark again and again, in both directions from where it lies, cut off at the picture's edges."""
    across, down = drawn.width + gap, drawn.height + gap
    row = Image.new("RGBA", (picture[0], drawn.height), CLEAR)
    for left in range(at[0] % across - across, picture[0], across):
        row.paste(drawn, (left, 0))
    canvas = Image.new("RGBA", picture, CLEAR)
    for top in range(at[1] % down - down, picture[1], down):
        canvas.paste(row, (0, top))
    return canvas


def _image(path: Path | None, width: int | None, room: tuple[int, int]) -> Image.Image:
    if path is None:
        raise refused("recipe.bad_watermark", "The watermark's image is missing.")
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise refused("recipe.bad_watermark", "The watermark's image is too large.")
            image = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refused("recipe.bad_watermark", "The watermark's image is no readable PNG, JPEG or WebP.") from error
    factor = (width or image.width) / image.width
    factor = min(factor, room[0] / image.width, room[1] / image.height)
    size = _even(round(image.width * factor)), _even(round(image.height * factor))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _even(side: int) -> int:
    return max(2, side + side % 2)
