"""A filter graph, filter after filter.

Built from typed values; no text of a user's ever becomes part of a graph's description.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.error
from av.filter.context import FilterContext
from av.filter.graph import Graph
from av.video.frame import VideoFrame

from moviola.plan import Overlay, Scale
from moviola_workers.engine import colour, watermark
from moviola_workers.engine.marking import MarkStream
from moviola_workers.engine.moments import Moments

PIXELS = "yuv420p"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a graph was built for; another one needs another graph."""

    width: int
    height: int
    format: str
    colour: colour.Colour

    @classmethod
    def of(cls, frame: VideoFrame) -> "Shape":
        return cls(width=frame.width, height=frame.height, format=frame.format.name, colour=colour.colour_of(frame))


class Chain:
    """One graph, filter after filter. The change of colours rides on the first scaling that comes along."""

    def __init__(self, shape: Shape, time_base: Fraction, threads: int) -> None:
        source, target = shape.colour, colour.colour_for(shape.colour)
        self.shape = shape
        self.width, self.height = shape.width, shape.height
        self._base = time_base
        self._target = target
        self._graph = Graph()
        self._graph.threads = threads
        self._source = self._last = self._graph.add(
            "buffer",
            video_size=f"{shape.width}x{shape.height}",
            pix_fmt=shape.format,
            time_base=str(time_base),
            pixel_aspect="1/1",
            colorspace=colour.MATRICES[source.matrix],
            range=colour.RANGES[source.range],
        )
        self._marks: list[MarkStream] = []
        self._sinks: list[FilterContext] = []
        self._conversion = _conversion(source, target, shape.format)
        self._said = source

    def add(self, name: str, **options: str) -> FilterContext:
        node = self._graph.add(name, **options)
        self._last.link_to(node)
        self._last = node
        return node

    def scale(self, to: Scale) -> None:
        """Scale, then crop or pad around the middle."""
        self._scaled(to.width, to.height)
        if (to.canvas_width, to.canvas_height) == (to.width, to.height):
            return
        kept = min(to.width, to.canvas_width), min(to.height, to.canvas_height)
        if kept != (to.width, to.height):
            left, top = _middle(to.width - kept[0]), _middle(to.height - kept[1])
            self.add("crop", w=str(kept[0]), h=str(kept[1]), x=str(left), y=str(top))
        if kept != (to.canvas_width, to.canvas_height):
            left, top = _middle(to.canvas_width - kept[0]), _middle(to.canvas_height - kept[1])
            self.add("pad", w=str(to.canvas_width), h=str(to.canvas_height), x=str(left), y=str(top), color="black")
        self.width, self.height = to.canvas_width, to.canvas_height

    def _scaled(self, width: int, height: int) -> None:
        conversion, self._conversion = self._conversion, None
        if (width, height) == (self.width, self.height) and conversion is None:
            return
        if conversion is not None:
            self._say()
        self.add("scale", w=str(width), h=str(height), flags="bicubic", **(conversion or {}))
        if conversion is not None:
            self.add("format", pix_fmts=PIXELS)
        self.width, self.height = width, height

    def _say(self) -> None:
        """Tell the scaler what the file left unsaid."""
        self.add(
            "setparams",
            range=colour.RANGES[self._said.range],
            colorspace=colour.MATRICES[self._said.matrix],
            color_primaries=colour.PRIMARIES[self._said.primaries],
            color_trc=colour.TRANSFERS[self._said.transfer],
        )

    def overlay(self, operation: Overlay, image: Path | None, moments: Moments | None = None) -> None:
        """Lay the mark over every picture, or over those of its *moments*."""
        self._scaled(self.width, self.height)
        mark = watermark.draw(operation, image, self.width, self.height)
        matrix = colour.MATRICES[self._target.matrix]
        stream = MarkStream(self._graph, mark, matrix=matrix, time_base=self._base, moments=moments)
        node = self._graph.add("overlay", x=str(mark.left), y=str(mark.top), eval="init", format="yuv420")
        self._last.link_to(node, 0, 0)
        stream.source.link_to(node, 0, 1)
        self._last = node
        self._marks.append(stream)

    def finish(self, width: int, height: int, branches: Sequence[tuple[int, int]] = ()) -> None:
        """End in a picture of that size, or split what it would be and end in one of each branch's size."""
        self._scaled(width, height)
        if branches:
            split = self.add("split", outputs=str(len(branches)))
        for output, size in enumerate(branches):
            self._sinks.append(self._branch(split, output, size))
        if not branches:
            self._sinks.append(self.add("buffersink"))
        self._graph.configure()
        for mark in self._marks:
            mark.begin()

    def _branch(self, split: FilterContext, output: int, size: tuple[int, int]) -> FilterContext:
        sink = self._graph.add("buffersink")
        if size == (self.width, self.height):
            split.link_to(sink, output, 0)
        else:
            scale = self._graph.add("scale", w=str(size[0]), h=str(size[1]), flags="bicubic")
            split.link_to(scale, output, 0)
            scale.link_to(sink)
        return sink

    def push(self, frame: VideoFrame | None) -> Iterator[tuple[int, VideoFrame]]:
        """What comes out in answer, each with the number of its branch; None: whatever is left."""
        for mark in self._marks:
            mark.accompany(frame)
        self._source.push(frame)
        for branch, sink in enumerate(self._sinks):
            for made in _drained(sink):
                yield branch, made


def _drained(sink: FilterContext) -> Iterator[VideoFrame]:
    while True:
        try:
            yield sink.pull()  # type: ignore[misc]  # the sink of a picture's graph gives pictures
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _conversion(source: colour.Colour, target: colour.Colour, form: str) -> dict[str, str] | None:
    """Options of ``scale`` that lead to the target's colours and to yuv420p; None where they are there already."""
    if source == target and form == PIXELS:
        return None
    options = {"out_range": "limited", "out_color_matrix": colour.MATRICES[target.matrix]}
    if (source.primaries, source.transfer) != (target.primaries, target.transfer):
        options |= {
            "out_primaries": colour.PRIMARIES[target.primaries],
            "out_transfer": colour.TRANSFERS[target.transfer],
            # Any other intent cuts off all that is brighter than white, or more colourful than the target can be.
            "intent": "perceptual",
        }
    return options


def _middle(spare: int) -> int:
    # Even, so that no chroma sample is split.
    return spare // 4 * 2
