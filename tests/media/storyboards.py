"""Read a storyboard as a player does: a strict WebVTT parser (W3C WebVTT, section 4), and the cells cut out."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL import Image

from tests.media.clips import BITS, BRIGHT, DARK

_TIMING = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")
_PLACE = re.compile(r"([^/#?]+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)")


@dataclass(frozen=True)
class Cue:
    """Times in seconds; the place is left, top, width, height."""

    start: Fraction
    end: Fraction
    sprite: str
    place: tuple[int, int, int, int]


def cues_in(text: str) -> list[Cue]:
    """All cues in order; a wrong header, time or payload is an ``AssertionError``."""
    header, *blocks = text.rstrip("\n").split("\n\n")
    assert header == "WEBVTT"
    return [_cue(block) for block in blocks]


def _cue(block: str) -> Cue:
    timing, payload = block.split("\n")
    times, place = _TIMING.fullmatch(timing), _PLACE.fullmatch(payload)
    assert times is not None, timing
    assert place is not None, payload
    hours, minutes, seconds, rest, *end = map(int, times.groups())
    left, top, width, height = map(int, place.groups()[1:])
    return Cue(_seconds(hours, minutes, seconds, rest), _seconds(*end), place[1], (left, top, width, height))


def _seconds(hours: int, minutes: int, seconds: int, rest: int) -> Fraction:
    return Fraction(((hours * 60 + minutes) * 60 + seconds) * 1000 + rest, 1000)


def cell(folder: Path, cue: Cue) -> Image.Image:
    """The picture of a cue; a place outside its sprite is an ``AssertionError``."""
    left, top, width, height = cue.place
    with Image.open(folder / cue.sprite) as sprite:
        assert sprite.format == "JPEG"
        assert left + width <= sprite.width
        assert top + height <= sprite.height
        return sprite.crop((left, top, left + width, top + height)).convert("L")


def number_of(image: Image.Image) -> int:
    """The number that a frame of ``clips`` carries."""
    gray = image.convert("L")
    values = [gray.getpixel((int((bit + 0.5) * gray.width / BITS), gray.height // 2)) for bit in range(BITS)]
    return sum(1 << bit for bit, value in enumerate(values) if isinstance(value, int) and value > (DARK + BRIGHT) // 2)
