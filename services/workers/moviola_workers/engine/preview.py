"""A short animation of a few scenes, as WebP."""

import math
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image

from moviola.plan import Preview, Span
from moviola_workers.engine import opening, still
from moviola_workers.engine.display import Display, on_display, tick_of
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.job import Job, Report

MAX_BYTES = 4 * 1024 * 1024
# Tried in turn until the file is small enough; the last is taken as it comes, of smaller pictures.
QUALITIES = (70, 45, 20)
SMALLEST = 2
# Of the way, decoding is so much and encoding the rest.
DECODING = 0.8


def make_preview(job: Job, preview: Preview, target: Path, report: Report) -> None:
    """An animation that loops for ever. Where exact frames cost too much, each scene begins at its key frame."""
    pulse = Pulse(report)
    with translated("making the preview"), PictureReader(job.source, job.limits, threads=job.encoder_threads) as reader:
        origin = opening.origin_of(job.source, job.limits)
        times = [_times(scene, preview.frames_per_second) for scene in preview.scenes]
        ticks = [[tick_of(reader, origin + time) for time in scene] for scene in times]
        easel = still.Easel(reader, preview.width, preview.height)
        images: list[Image.Image] = []
        for frame in _frames(ticks, reader, pulse):
            images.append(easel.draw(frame))
            pulse(DECODING * len(images) / sum(map(len, ticks)))
        if not images:
            raise refused("media.corrupt", "Not a single frame could be decoded.")
        target.write_bytes(_encoded(images, preview.frames_per_second, pulse))
    report(1.0)


def _times(scene: Span, rate: float) -> list[Fraction]:
    # Of a rest that is rounding no frame is made.
    count = max(1, math.ceil((scene.end - scene.start) * rate - 1e-6))
    return [Fraction(scene.start) + number / Fraction(rate) for number in range(count)]


def _frames(scenes: list[list[int]], reader: PictureReader, pulse: Pulse) -> Iterator[VideoFrame]:
    display = Display(reader, [tick for scene in scenes for tick in scene], pulse)
    if display.affordable():
        yield from display.exact()
        return
    for scene in scenes:
        frames = display.following(scene[0])
        first = next(frames, None)
        if first is not None:
            late = scene[0] - (first.pts or 0)
            yield from on_display(_chained(first, frames), [tick - late for tick in scene])


def _chained(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _encoded(images: list[Image.Image], rate: float, pulse: Pulse) -> bytes:
    for quality in QUALITIES:
        data = _webp(images, rate, quality)
        pulse.again()
        if len(data) <= MAX_BYTES:
            return data
    width, height = (max(1, side // SMALLEST) for side in images[0].size)
    return _webp([image.resize((width, height)) for image in images], rate, QUALITIES[-1])


def _webp(images: list[Image.Image], rate: float, quality: int) -> bytes:
    """Durations are whole milliseconds whose sum is right."""
    edges = [round(number * 1000 / rate) for number in range(len(images) + 1)]
    durations = [after - before for before, after in pairwise(edges)]
    buffer = BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        quality=quality,
        method=3,
    )
    return buffer.getvalue()
