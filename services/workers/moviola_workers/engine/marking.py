"""The stream of marks beside the pictures: one mark for ever, or one for each picture, as strong as it is then.

A mark for each picture costs a reference to the one before, as long as its strength does not change.
"""

from fractions import Fraction

from av.filter.context import FilterContext
from av.filter.graph import Graph
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from moviola_workers.engine.moments import Moments
from moviola_workers.engine.watermark import Mark

PIXELS = "yuva420p"
ALPHA = 3
OPAQUE = 255


class MarkStream:
    """One overlay's second input; ``matrix`` is the picture's."""

    def __init__(self, graph: Graph, mark: Mark, *, matrix: str, time_base: Fraction, moments: Moments | None) -> None:
        self._mark = in_picture_colours(mark, matrix)
        if moments is not None:
            # Into our own layout once, so that all that follow are copied in one piece.
            self._mark = _thinned(self._mark, OPAQUE)
        self._shown = self._mark
        self._level = OPAQUE
        self._base = time_base
        self._moments = moments
        self.source: FilterContext = graph.add(
            "buffer",
            video_size=f"{mark.image.width}x{mark.image.height}",
            pix_fmt=PIXELS,
            time_base=str(time_base),
            pixel_aspect="1/1",
            colorspace=matrix,
            range="tv",
        )

    def begin(self) -> None:
        """Once the graph is complete: a mark that is always seen is pushed now, for all pictures."""
        if self._moments is None:
            self._mark.pts, self._mark.time_base = 0, self._base
            self.source.push(self._mark)
            self.source.push(None)

    def accompany(self, picture: VideoFrame | None) -> None:
        """Before each picture that enters the graph; None: it was the last."""
        if self._moments is None:
            return
        if picture is None:
            self.source.push(None)
            return
        position = picture.pts or 0
        level = round(self._moments.strength(position * self._base) * OPAQUE)
        if level != self._level:
            self._shown, self._level = _thinned(self._mark, level), level
        self._shown.pts, self._shown.time_base = position, self._base
        self.source.push(self._shown)


def in_picture_colours(mark: Mark, matrix: str) -> VideoFrame:
    """The mark in the picture's colours, with its alpha."""
    graph = Graph()
    size = f"{mark.image.width}x{mark.image.height}"
    square = {"time_base": "1/1", "pixel_aspect": "1/1"}
    nodes = [
        graph.add("buffer", video_size=size, pix_fmt="rgba", colorspace="gbr", range="pc", **square),
        graph.add("scale", out_color_matrix=matrix, out_range="limited"),
        graph.add("format", pix_fmts=PIXELS),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    frame = VideoFrame.from_bytes(mark.image.tobytes(), mark.image.width, mark.image.height, "rgba")
    frame.pts, frame.time_base = 0, Fraction(1)
    nodes[0].push(frame)
    nodes[0].push(None)
    return graph.vpull()


def _thinned(mark: VideoFrame, level: int) -> VideoFrame:
    """The same mark with its alpha times *level* / 255."""
    made = VideoFrame(mark.width, mark.height, PIXELS)
    table = bytes(round(value * level / OPAQUE) for value in range(256))
    for number, (old, new) in enumerate(zip(mark.planes, made.planes, strict=True)):
        content = _laid_out(old, new.line_size)
        new.update(content.translate(table) if number == ALPHA else content)
    made.colorspace, made.color_range = mark.colorspace, mark.color_range
    return made


def _laid_out(plane: VideoPlane, line_size: int) -> bytes:
    """The plane's content in lines of that size."""
    content = bytes(plane)
    if plane.line_size == line_size:
        return content
    starts = range(0, plane.height * plane.line_size, plane.line_size)
    return b"".join(content[start : start + plane.width].ljust(line_size, b"\x00") for start in starts)
