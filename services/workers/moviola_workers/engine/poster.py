"""A still picture of a video: at a given second, or the best of a few candidates."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image, ImageFilter, ImageStat

from moviola.plan import Scale
from moviola_workers.engine import geometry, opening
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.picture import Picture, PictureWork
from moviola_workers.engine.reading import PictureReader
from moviola_workers.job import Job, Report

QUALITY = 88
# Where candidates are looked for, as shares of the duration.
CANDIDATES = tuple(Fraction(number, 20) for number in (2, 5, 7, 10, 13, 15, 18))
SMALL = (160, 90)
DARK, BRIGHT = 24, 235


def make_poster(job: Job, at: float | None, target: Path, report: Report) -> None:
    """A JPEG at the source's display size. ``at`` beyond the last frame means the last frame."""
    with translated("cutting the poster"), PictureReader(job.source, job.limits, threads=job.encoder_threads) as reader:
        origin = opening.origin_of(job.source, job.limits)
        frame = _at(reader, origin + Fraction(at)) if at is not None else _best(reader, origin, report)
        if frame is None:
            raise refused("media.corrupt", "Not a single frame could be decoded.")
        _upright(frame, reader).save(target, format="JPEG", quality=QUALITY, optimize=True)
    report(1.0)


def _at(reader: PictureReader, second: Fraction) -> VideoFrame | None:
    """The frame on display at that second: the last one that begins at it or before."""
    tick = int(second / reader.time_base + Fraction(1, 2))
    chosen: VideoFrame | None = None
    for frame in reader.frames(tick):
        if chosen is not None and (frame.pts or 0) > tick:
            break
        chosen = frame
    return chosen


def _best(reader: PictureReader, origin: Fraction, report: Report) -> VideoFrame | None:
    """The candidate with the most to see; near a key frame, so that it costs no long decode."""
    best: VideoFrame | None = None
    score = -1.0
    for number, frame in enumerate(_candidates(reader, origin)):
        interest = _interest(frame)
        if interest > score:
            best, score = frame, interest
        report((number + 1) / (len(CANDIDATES) + 1))
    return best


def _candidates(reader: PictureReader, origin: Fraction) -> Iterator[VideoFrame]:
    length = _length(reader)
    for share in CANDIDATES if length > 0 else ():
        tick = int((origin + length * share) / reader.time_base)
        frame = next(reader.frames(tick), None)
        if frame is not None:
            yield frame
    frame = next(reader.frames(), None)
    if frame is not None:
        yield frame


def _length(reader: PictureReader) -> Fraction:
    stream, container = reader.stream, reader.container
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(container.duration or 0, 1_000_000)


def _interest(frame: VideoFrame) -> float:
    """Entropy of the luma plus its sharpness; black, white and flat pictures come last."""
    small = frame.reformat(width=SMALL[0], height=SMALL[1], format="gray")
    plane = small.planes[0]
    image = Image.frombytes("L", SMALL, bytes(plane), "raw", "L", plane.line_size)
    mean = ImageStat.Stat(image).mean[0]
    edges = ImageStat.Stat(image.filter(ImageFilter.FIND_EDGES)).stddev[0]
    interest = image.entropy() + edges / 16
    return interest if DARK < mean < BRIGHT else interest / 8


def _upright(frame: VideoFrame, reader: PictureReader) -> Image.Image:
    """Through the same filters as a render, so that rotation, pixel shape and colours are as in the result."""
    shape = geometry.pixel_shape(reader.stream.sample_aspect_ratio)
    width, height = geometry.display_size(frame.width, frame.height, shape, geometry.orientation_of(frame))
    scale = Scale(width=width, height=height, canvas_width=width, canvas_height=height)
    work = PictureWork(operations=(scale,), width=width, height=height, images={})
    made = next(Picture(work, reader.time_base).through(iter((frame,))), None)
    if made is None:
        raise refused("media.corrupt", "The frame for the poster did not come out of the filters.")
    pixels = made.reformat(format="rgb24").planes[0]
    return Image.frombytes("RGB", (made.width, made.height), bytes(pixels), "raw", "RGB", pixels.line_size)
