"""A single frame as an image: upright, with square pixels, in standard range; as a render would show it."""

from collections.abc import Iterator

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
    across, down = fit_inside(*_size_of(frame, reader), width, height)
    return _image(_pictures(iter((frame,)), reader, _scale((across, down), (across, down))))


class Easel:
    """Draws frame after frame, each exactly ``width`` × ``height``.

    A frame of another shape than the others lies in the middle, on black.
    """

    def __init__(self, reader: PictureReader, width: int, height: int) -> None:
        self._reader = reader
        self._canvas = width, height
        self._scale: Scale | None = None
        self._frame: VideoFrame | None = None
        self._made: Iterator[VideoFrame] = iter(())

    def draw(self, frame: VideoFrame) -> Image.Image:
        scale = self._fitted(frame)
        if frame.interlaced_frame:
            # Frames that lie far apart must not be taken for neighbours.
            return _image(_pictures(iter((frame,)), self._reader, scale))
        if scale != self._scale:
            # Not for each frame, since a graph that converts HDR takes seconds to build.
            self._scale, self._made = scale, _pictures(self._frames(), self._reader, scale)
        self._frame = frame
        return _image(self._made)

    def _frames(self) -> Iterator[VideoFrame]:
        while self._frame is not None:
            yield self._frame

    def _fitted(self, frame: VideoFrame) -> Scale:
        size = _size_of(frame, self._reader)
        factor = min(side / part for side, part in zip(self._canvas, size, strict=True))
        across, down = (
            # A rounded side of the canvas must not leave a line of black.
            side if abs(side - part * factor) < 1 else max(1, round(part * factor))
            for side, part in zip(self._canvas, size, strict=True)
        )
        return _scale((across, down), self._canvas)


def _scale(size: tuple[int, int], canvas: tuple[int, int]) -> Scale:
    return Scale(width=size[0], height=size[1], canvas_width=canvas[0], canvas_height=canvas[1])


def _size_of(frame: VideoFrame, reader: PictureReader) -> tuple[int, int]:
    shape = geometry.pixel_shape(reader.stream.sample_aspect_ratio)
    return geometry.display_size(frame.width, frame.height, shape, geometry.orientation_of(frame))


def _pictures(frames: Iterator[VideoFrame], reader: PictureReader, scale: Scale) -> Iterator[VideoFrame]:
    width, height = scale.canvas_width, scale.canvas_height
    work = PictureWork(operations=(scale,), width=width, height=height, images={}, threads=1)
    return Picture(work, reader.time_base).through(frames)


def _image(pictures: Iterator[VideoFrame]) -> Image.Image:
    made = next(pictures, None)
    if made is None:
        raise refused("media.corrupt", "A frame did not come out of the filters.")
    pixels = made.reformat(format="rgb24").planes[0]
    return Image.frombytes("RGB", (made.width, made.height), bytes(pixels), "raw", "RGB", pixels.line_size)
