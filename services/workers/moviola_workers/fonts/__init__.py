"""The font for text watermarks: DejaVu Sans Bold, under the licence in ``LICENSE-DejaVu.txt`` beside it."""

from importlib.resources import files
from io import BytesIO

from PIL import ImageFont


def bold(pixels: int) -> ImageFont.FreeTypeFont:
    """The bundled font at that size; it has Latin (with ñ, á, ß), Greek, Cyrillic, Arabic, € and arrows."""
    return ImageFont.truetype(BytesIO(files(__name__).joinpath("DejaVuSans-Bold.ttf").read_bytes()), pixels)
