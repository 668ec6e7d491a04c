"""The mark, drawn once: a frame with alpha, and the place where FFmpeg lays it over every picture."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from moviola.plan import Overlay
from moviola_workers import fonts
from moviola_workers.engine.failures import refused

# A text without ``scale`` is this high, relative to the picture; an image keeps its size.
TEXT_HEIGHT = 0.06
MOST_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
WHITE, SHADE = (255, 255, 255, 255), (0, 0, 0, 160)


@dataclass(frozen=True, slots=True)
class Mark:
    """``image`` is RGBA; ``left`` and ``top`` are even, so that the mark's chroma falls on the picture's."""

    image: Image.Image
    left: int
    top: int

    def frame(self) -> VideoFrame:
        """As a frame of FFmpeg's."""
        return VideoFrame.from_bytes(self.image.tobytes(), self.image.width, self.image.height, "rgba")


def draw(overlay: Overlay, image: Path | None, width: int, height: int) -> Mark:
    """The mark for a picture of that size, never larger than the picture within its margins.

    ``image`` is the file for ``overlay.image``. One that is no PNG, JPEG or WebP is ``recipe.bad_watermark``.
    """
    room = max(2, width - 2 * overlay.margin), max(2, height - 2 * overlay.margin)
    if overlay.text is not None:
        drawn = _text(overlay.text, round(height * (overlay.scale or TEXT_HEIGHT)), room)
    else:
        drawn = _image(image, round(width * overlay.scale) if overlay.scale else None, room)
    drawn.putalpha(drawn.getchannel("A").point([round(value * overlay.opacity) for value in range(256)]))
    left, top = _place(overlay, drawn.size, (width, height))
    return Mark(image=drawn, left=left, top=top)


def _place(overlay: Overlay, size: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
    """The mark's upper left corner: at the margin from the sides that the position names, else in the middle."""
    words = overlay.position.split("-")
    places = []
    for length, whole, near, far in zip(size, picture, ("left", "top"), ("right", "bottom"), strict=True):
        if near in words:
            place = overlay.margin
        elif far in words:
            place = whole - overlay.margin - length
        else:
            place = (whole - length) // 2
        place = max(0, min(place, whole - length))
        places.append(place - place % 2)
    return places[0], places[1]


def _text(text: str, height: int, room: tuple[int, int]) -> Image.Image:
    """White letters with a dark shade, so that they can be read on anything; cropped to what is drawn."""
    readable = "".join(
        character if character.isprintable() else " " for character in unicodedata.normalize("NFC", text)
    )
    pixels = max(8, height)
    box = _box(readable, fonts.bold(pixels))
    shrink = min(1.0, room[0] / max(1, box[2] - box[0]), room[1] / max(1, box[3] - box[1]))
    font = fonts.bold(max(4, int(pixels * shrink)))
    left, top, right, bottom = _box(readable, font)
    canvas = Image.new("RGBA", (_even(right - left), _even(bottom - top)), (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    edge = _edge(font)
    pen.text((-left, -top), readable, font=font, fill=WHITE, stroke_width=edge, stroke_fill=SHADE)
    # Below the smallest letters that can be drawn, the drawing itself is made smaller.
    canvas.thumbnail(room)
    return canvas


def _box(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int, int, int]:
    left, top, right, bottom = font.getbbox(text, stroke_width=_edge(font))
    return int(left), int(top), int(right) + 1, int(bottom) + 1


def _edge(font: ImageFont.FreeTypeFont) -> int:
    return max(1, round(font.size / 24))


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
