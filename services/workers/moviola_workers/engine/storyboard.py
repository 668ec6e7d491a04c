"""Sprites of small stills, and the WebVTT that says which of them belongs to which time."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image

from moviola.plan import STORYBOARD, Storyboard
from moviola.stills import Cell, cells_of, cues, sprites
from moviola_workers.engine import opening, still
from moviola_workers.engine.display import Display, tick_of
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.job import Job, Report

QUALITY = 75


def make_storyboard(job: Job, board: Storyboard, report: Report) -> Mapping[str, Path]:
    """All files by name, the WebVTT first. One sprite is held in memory at a time.

    Each cell shows the frame on display at its time, or, where exact ones cost too much, the last key frame.
    """
    names = sprites(board)
    made = {STORYBOARD: job.scratch / STORYBOARD, **{name: job.scratch / name for name in names}}
    pulse = Pulse(report)
    with translated("drawing the storyboard"), _reader(job) as reader:
        images = _images(job, board, reader, pulse)
        for number, cells in groupby(cells_of(board), key=lambda cell: cell.sprite):
            _sprite(board, list(cells), images).save(made[names[number]], quality=QUALITY, optimize=True)
    made[STORYBOARD].write_text(cues(board), encoding="utf-8")
    report(1.0)
    return made


def _reader(job: Job) -> PictureReader:
    return PictureReader(job.source, job.limits, threads=job.encoder_threads)


def _images(job: Job, board: Storyboard, reader: PictureReader, pulse: Pulse) -> Iterator[Image.Image]:
    """One for each cell."""
    origin = opening.origin_of(job.source, job.limits)
    display = Display(reader, [tick_of(reader, origin + cell.second) for cell in cells_of(board)], pulse)
    easel = still.Easel(reader, board.width, board.height)
    last: tuple[VideoFrame, Image.Image] | None = None
    for number, frame in enumerate(display.frames(), start=1):
        if last is None or last[0] is not frame:
            last = frame, easel.draw(frame)
        pulse(number / board.cells)
        yield last[1]


def _sprite(board: Storyboard, cells: list[Cell], images: Iterator[Image.Image]) -> Image.Image:
    """As large as its cells need: the last one may be lower than the others."""
    width = max(cell.left for cell in cells) + board.width
    height = max(cell.top for cell in cells) + board.height
    sprite = Image.new("RGB", (width, height))
    for cell in cells:
        image = next(images, None)
        if image is None:
            raise refused("media.corrupt", f"The frame at {float(cell.second):.3f} s could not be decoded.")
        sprite.paste(image, (cell.left, cell.top))
    return sprite
