"""What a ``thumbnails`` step makes, in numbers: when each still is taken, how large it is, where in a sprite it lies.

Pure arithmetic: the plan has to say how many files there will be, and the worker that draws them must agree.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from moviola.errors import FieldError, InvalidRecipe
from moviola.plan import POSTER, PREVIEW, STORYBOARD, Poster, Preview, Span, Storyboard
from moviola.probe import Warning
from moviola.recipe import PreviewWish, StoryboardWish, Thumbnails

# Distances that a person would choose; the first that needs no more stills than are usual is taken.
ROUND_INTERVALS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)
USUAL_CELLS = 100
MAX_CELLS = 1000
# WebVTT counts milliseconds: closer stills would share a time.
SHORTEST_INTERVAL = 0.01
# JPEG could hold 65500; what browsers show everywhere ends here.
SPRITE_SIDE = 16384
SPRITE_PIXELS = 4096 * 4096
# A picture taller than so many times its width is made narrower instead.
TALLEST_CELL, TALLEST_PREVIEW = 4, 2


@dataclass(frozen=True, slots=True)
class Seen:
    """The video that the stills are of: size on the screen, and seconds."""

    width: int
    height: int
    duration: float


@dataclass(frozen=True, slots=True)
class Still:
    """One product: the name of its pass, the names of its files, and what to do."""

    name: str
    files: tuple[str, ...]
    parameters: Poster | Storyboard | Preview


def stills_of(index: int, step: Thumbnails, seen: Seen, warnings: list[Warning]) -> Iterator[Still]:
    """What the step, the recipe's *index*-th, asks for; ``InvalidRecipe`` where that lies beyond the end."""
    if step.poster:
        _refuse_beyond(index, step.at, seen)
        poster = Poster(at=step.at, width=step.width, height=step.height)
        yield Still("thumbnails", (POSTER,), poster)
    if step.storyboard is not None:
        board = lay_out(step.storyboard, seen, warnings)
        yield Still("thumbnails-storyboard", (STORYBOARD, *sprites(board)), board)
    if step.preview is not None:
        yield Still("thumbnails-preview", (PREVIEW,), excerpt(step.preview, seen))


def _refuse_beyond(index: int, at: float | None, seen: Seen) -> None:
    if at is not None and at >= seen.duration:
        message = f"The poster's time {at:g} s lies beyond the result's end at {seen.duration:.3f} s."
        error = FieldError(pointer=f"/steps/{index}/at", message=message, code="start_beyond_end")
        raise InvalidRecipe(message, [error], code="recipe.start_beyond_end")


def fit_inside(width: int, height: int, most_width: int | None, most_height: int | None) -> tuple[int, int]:
    """The size within those bounds (None: unbounded), in the same shape, never enlarged, at least 1 × 1."""
    factor = min(1.0, (most_width or width) / width, (most_height or height) / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def lay_out(wish: StoryboardWish, seen: Seen, warnings: list[Warning]) -> Storyboard:
    """The sprites for that wish. Stills that would be too many come at longer distances, with a warning."""
    interval = _interval(wish, seen.duration)
    shortest = max(seen.duration / MAX_CELLS, SHORTEST_INTERVAL)
    if interval < shortest:
        message = f"The storyboard's pictures come every {shortest:.3f} s: more of them than that are not made."
        if seen.duration > 0:
            warnings.append(Warning(code="recipe.storyboard_thinned", message=message))
        interval = shortest
    width, height = fit_inside(seen.width, seen.height, wish.width, TALLEST_CELL * wish.width)
    room = min(SPRITE_SIDE // height, SPRITE_PIXELS // (wish.columns * width * height))
    rows = max(1, min(max(wish.columns, math.ceil(USUAL_CELLS / wish.columns)), room))
    return Storyboard(
        interval=interval,
        # Of a rest that is rounding no still is made.
        cells=max(1, math.ceil(seen.duration / interval - 1e-6)),
        columns=wish.columns,
        rows=rows,
        width=width,
        height=height,
        duration=seen.duration,
    )


def _interval(wish: StoryboardWish, duration: float) -> float:
    if wish.interval is not None:
        return wish.interval
    if wish.count is not None:
        return duration / wish.count
    usual = (one for one in ROUND_INTERVALS if one * USUAL_CELLS >= duration)
    return float(next(usual, duration / USUAL_CELLS))


def excerpt(wish: PreviewWish, seen: Seen) -> Preview:
    """The scenes for that wish: each in the middle of its part of the video; of a short video all of it."""
    width, height = fit_inside(seen.width, seen.height, wish.width, TALLEST_PREVIEW * wish.width)
    if seen.duration <= wish.seconds:
        scenes: tuple[Span, ...] = (Span(start=0.0, end=seen.duration),)
    else:
        length, part = wish.seconds / wish.scenes, seen.duration / wish.scenes
        starts = [number * part + (part - length) / 2 for number in range(wish.scenes)]
        scenes = tuple(Span(start=start, end=start + length) for start in starts)
    return Preview(scenes=scenes, frames_per_second=wish.frames_per_second, width=width, height=height)


def sprites(board: Storyboard) -> tuple[str, ...]:
    """The names of the sprites, in order."""
    count = math.ceil(board.cells / (board.columns * board.rows))
    return ("storyboard.jpg", *(f"storyboard-{number}.jpg" for number in range(2, count + 1)))


@dataclass(frozen=True, slots=True)
class Cell:
    """One still of a storyboard: when (in milliseconds of the source), in which sprite, and where in it."""

    start: int
    end: int
    sprite: int
    left: int
    top: int

    @property
    def second(self) -> Fraction:
        return Fraction(self.start, 1000)


def cells_of(board: Storyboard) -> Iterator[Cell]:
    """In order of time, without holes, to the end."""
    edges = [round(number * board.interval * 1000) for number in range(board.cells)]
    edges.append(max(math.ceil(board.duration * 1000), edges[-1] + 1))
    for number in range(board.cells):
        sprite, place = divmod(number, board.columns * board.rows)
        row, column = divmod(place, board.columns)
        left, top = column * board.width, row * board.height
        yield Cell(start=edges[number], end=edges[number + 1], sprite=sprite, left=left, top=top)


def cues(board: Storyboard) -> str:
    """The storyboard's WebVTT: each cue's text is the sprite's name and the place in it, as players read it."""
    names = sprites(board)
    blocks = ["WEBVTT"]
    for cell in cells_of(board):
        place = f"{cell.left},{cell.top},{board.width},{board.height}"
        blocks.append(f"{_clock(cell.start)} --> {_clock(cell.end)}\n{names[cell.sprite]}#xywh={place}")
    return "\n\n".join(blocks) + "\n"


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
