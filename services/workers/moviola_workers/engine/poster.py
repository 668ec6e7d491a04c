"""A still picture of a video: at a given second, or the best of a few candidates."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image, ImageFilter, ImageStat

from moviola.plan import Poster
from moviola_workers.engine import opening, still
from moviola_workers.engine.display import EXACT_PIXELS, Display, length_of, tick_of
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.job import Job, Report

QUALITY = 88
# Where candidates are looked for, as shares of the duration.
CANDIDATES = tuple(Fraction(number, 20) for number in (0, 2, 5, 7, 10, 13, 15, 18))
# With fewer different key frames than this, frames between them are looked at too, where they are quickly had.
FEW = 4
QUICK_PIXELS = EXACT_PIXELS // 10
SMALL = (160, 90)
DARK, BRIGHT = 24, 235


def make_poster(job: Job, poster: Poster, target: Path, report: Report) -> None:
    """A JPEG at the source's display size, or within the bounds. ``at`` beyond the last frame means the last frame."""
    with translated("cutting the poster"), PictureReader(job.source, job.limits, threads=job.encoder_threads) as reader:
        origin = opening.origin_of(job.source, job.limits)
        pulse = Pulse(report)
        if poster.at is not None:
            wanted = tick_of(reader, origin + Fraction(poster.at))
            frame = next(Display(reader, [wanted], pulse).exact(), None)
        else:
            frame = _best(reader, origin, pulse)
        if frame is None:
            raise refused("media.corrupt", "Not a single frame could be decoded.")
        image = still.within(frame, reader, poster.width, poster.height)
        image.save(target, format="JPEG", quality=QUALITY, optimize=True)
    report(1.0)


def _best(reader: PictureReader, origin: Fraction, pulse: Pulse) -> VideoFrame | None:
    """The candidate with the most to see."""
    best: VideoFrame | None = None
    score = -1.0
    for number, frame in enumerate(_candidates(reader, origin, pulse)):
        interest = _interest(frame)
        if interest > score:
            best, score = frame, interest
        pulse(min(1.0, (number + 1) / (len(CANDIDATES) + 1)))
    return best


def _candidates(reader: PictureReader, origin: Fraction, pulse: Pulse) -> Iterator[VideoFrame]:
    """Key frames, which cost no long decode."""
    length = length_of(reader)
    display = Display(reader, sorted({tick_of(reader, origin + length * share) for share in CANDIDATES}), pulse)
    found = set()
    for frame in display.near():
        if frame.pts not in found:
            found.add(frame.pts)
            yield frame
    if len(found) < FEW and display.affordable(QUICK_PIXELS):
        yield from display.exact()


def _interest(frame: VideoFrame) -> float:
    """Entropy of the luma plus its sharpness; black, white and flat pictures come last."""
    small = frame.reformat(width=SMALL[0], height=SMALL[1], format="gray")
    plane = small.planes[0]
    image = Image.frombytes("L", SMALL, bytes(plane), "raw", "L", plane.line_size)
    mean = ImageStat.Stat(image).mean[0]
    edges = ImageStat.Stat(image.filter(ImageFilter.FIND_EDGES)).stddev[0]
    interest = image.entropy() + edges / 16
    return interest if DARK < mean < BRIGHT else interest / 8
