"""A single frame as an image: upright, with square pixels, in standard range; as a render would show it."""

from av.video.frame import VideoFrame
from PIL import Image

from moviola.plan import Scale
from moviola.stills import fit_inside
from moviola_workers.engine import geometry
from moviola_workers.engine.failures import refused
from moviola_workers.engine.picture import Picture, PictureWork
from moviola_workers.engine.reading import PictureReader


def within(frame: VideoFrame, reader: PictureReader, width: int | None, height: int | None) -> Image.Image:
    """At most that large (None: unbounded), never enlarged."""
    size = fit_inside(*_size_of(frame, reader), width, height)
    return _drawn(frame, reader, Scale(width=size[0], height=size[1], canvas_width=size[0], canvas_height=size[1]))


def on_canvas(frame: VideoFrame, reader: PictureReader, width: int, height: int) -> Image.Image:
    """Exactly that large; a frame of another shape than the others lies in the middle, on black."""
    size = _size_of(frame, reader)
    factor = min(width / size[0], height / size[1])
    # A rounded side of the canvas must not leave a line of black.
    across, down = (
        side if abs(side - part * factor) < 1 else max(1, round(part * factor))
        for side, part in ((width, size[0]), (height, size[1]))
    )
    return _drawn(frame, reader, Scale(width=across, height=down, canvas_width=width, canvas_height=height))


def _size_of(frame: VideoFrame, reader: PictureReader) -> tuple[int, int]:
    shape = geometry.pixel_shape(reader.stream.sample_aspect_ratio)
    return geometry.display_size(frame.width, frame.height, shape, geometry.orientation_of(frame))


def _drawn(frame: VideoFrame, reader: PictureReader, scale: Scale) -> Image.Image:
    width, height = scale.canvas_width, scale.canvas_height
    work = PictureWork(operations=(scale,), width=width, height=height, images={}, threads=1)
    # A graph for each: frames far apart must not be taken for neighbours where the picture is interlaced.
    made = next(Picture(work, reader.time_base).through(iter((frame,))), None)
    if made is None:
        raise refused("media.corrupt", "A frame did not come out of the filters.")
    pixels = made.reformat(format="rgb24").planes[0]
    return Image.frombytes("RGB", (made.width, made.height), bytes(pixels), "raw", "RGB", pixels.line_size)
