"""A text as an image, cropped to what is drawn."""

import unicodedata

from PIL import Image, ImageColor, ImageDraw, ImageFont

from moviola.plan import Overlay
from moviola_workers import fonts

SMALLEST = 8


def letters(overlay: Overlay, height: int, room: tuple[int, int]) -> Image.Image:
    """The overlay's text, its font *height* pixels high, made smaller where it would not fit into *room*."""
    text = _readable(overlay.text or "")
    pixels = max(SMALLEST, height)
    box = _box(text, overlay, fonts.load(overlay.font, pixels))
    shrink = min(1.0, room[0] / max(1, box[2] - box[0]), room[1] / max(1, box[3] - box[1]))
    font = fonts.load(overlay.font, max(SMALLEST // 2, int(pixels * shrink)))
    left, top, right, bottom = _box(text, overlay, font)
    canvas = Image.new("RGBA", (_even(right - left), _even(bottom - top)), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text(
        (-left, -top),
        text,
        font=font,
        fill=ImageColor.getrgb(overlay.color),
        stroke_width=_edge(overlay, font),
        stroke_fill=ImageColor.getrgb(overlay.outline.color),
    )
    # Below the smallest letters that can be drawn, the drawing itself is made smaller.
    canvas.thumbnail(room)
    return canvas


def _readable(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    return "".join(character if character.isprintable() else " " for character in normal)


def _box(text: str, overlay: Overlay, font: ImageFont.FreeTypeFont) -> tuple[int, int, int, int]:
    left, top, right, bottom = font.getbbox(text, stroke_width=_edge(overlay, font))
    return int(left), int(top), int(right) + 1, int(bottom) + 1


def _edge(overlay: Overlay, font: ImageFont.FreeTypeFont) -> int:
    width = overlay.outline.width
    return max(1, round(font.size * width)) if width > 0 else 0


def _even(side: int) -> int:
    return max(2, side + side % 2)
