"""Every picture of an edit: upright, scaled, marked, in the colours and the form that the encoder takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from moviola.plan import Operation, Overlay, Scale
from moviola_workers.engine import geometry
from moviola_workers.engine.chain import Chain, Shape
from moviola_workers.engine.moments import Moments, refreshed
from moviola_workers.engine.timeline import Timeline


@dataclass(frozen=True, slots=True)
class PictureWork:
    """What is to be done with every picture: ``operations`` in order, and in the end ``width`` × ``height``.

    ``images`` are the files that overlays name. ``timeline`` and the file's ``origin`` tell when the source showed what
    the result shows; without them every time is the result's. With ``branches`` it comes in each of these sizes.
    """

    operations: Sequence[Operation]
    width: int
    height: int
    images: Mapping[str, Path]
    threads: int = 0
    timeline: Timeline | None = None
    origin: Fraction = Fraction(0)
    branches: Sequence[tuple[int, int]] = ()


class Picture:
    """Frames in, frames out; timestamps and order are kept. A picture that changes its size midway is followed."""

    def __init__(self, work: PictureWork, time_base: Fraction, *, interlaced: bool = False) -> None:
        self._work = work
        self._base = time_base
        self._interlaced = interlaced
        self._moments = {
            index: Moments(operation, work.timeline, work.origin)
            for index, operation in enumerate(work.operations)
            if isinstance(operation, Overlay) and operation.windows is not None
        }

    def through(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """Of work without branches, or of all of them one after the other."""
        for _, frame in self.branched(frames):
            yield frame

    def branched(self, frames: Iterator[VideoFrame]) -> Iterator[tuple[int, VideoFrame]]:
        """Each with the number of its branch."""
        chain: Chain | None = None
        for frame in refreshed(frames, tuple(self._moments.values()), self._base):
            shape = Shape.of(frame)
            if chain is None or shape != chain.shape:
                if chain is not None:
                    yield from chain.push(None)
                chain = self._built(frame, shape)
            yield from chain.push(frame)
        if chain is not None:
            yield from chain.push(None)

    def _built(self, frame: VideoFrame, shape: Shape) -> "Chain":
        chain = Chain(shape, self._base, self._work.threads)
        if self._interlaced or frame.interlaced_frame:
            chain.add("bwdif", mode="send_frame", deint="interlaced")
        orientation = geometry.orientation_of(frame)
        for name, options in orientation.filters():
            chain.add(name, **options)
        chain.width, chain.height = (shape.height, shape.width) if orientation.turned else (shape.width, shape.height)
        for index, operation in enumerate(self._work.operations):
            if isinstance(operation, Scale):
                chain.scale(operation)
            else:
                image = self._work.images.get(operation.image) if operation.image is not None else None
                chain.overlay(operation, image, self._moments.get(index))
        chain.finish(self._work.width, self._work.height, self._work.branches)
        return chain
