"""The fonts for text watermarks: DejaVu, under the licence in ``LICENSE-DejaVu.txt`` beside them.

All of them have Latin (with ñ, á, ß), Greek, Cyrillic, € and arrows.
"""

from collections.abc import Mapping
from importlib.resources import files
from io import BytesIO

from PIL import ImageFont

from moviola.marking import Font

FILES: Mapping[Font, str] = {
    "bold": "DejaVuSans-Bold.ttf",
    "regular": "DejaVuSans.ttf",
    "mono": "DejaVuSansMono-Bold.ttf",
    "serif": "DejaVuSerif-Bold.ttf",
}


def load(font: Font, pixels: int) -> ImageFont.FreeTypeFont:
    """The bundled font of that name, *pixels* high."""
    return ImageFont.truetype(BytesIO(files(__name__).joinpath(FILES[font]).read_bytes()), pixels)
