"""Every picture of an edit: upright, scaled, marked, in the colours and the form that the encoder takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from moviola.plan import Operation, Scale
from moviola_workers.engine import geometry
from moviola_workers.engine.chain import Chain, Shape


@dataclass(frozen=True, slots=True)
class PictureWork:
    """What is to be done with every picture: ``operations`` in order, and in the end ``width`` × ``height``.

    ``images`` are the files that overlays name.
    """

    operations: Sequence[Operation]
    width: int
    height: int
    images: Mapping[str, Path]
    threads: int = 0


class Picture:
    """Frames in, frames out; timestamps and order are kept. A picture that changes its size midway is followed."""

    def __init__(self, work: PictureWork, time_base: Fraction, *, interlaced: bool = False) -> None:
        self._work = work
        self._base = time_base
        self._interlaced = interlaced

    def through(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        chain: Chain | None = None
        for frame in frames:
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
        for operation in self._work.operations:
            if isinstance(operation, Scale):
                chain.scale(operation)
            else:
                image = self._work.images.get(operation.image) if operation.image is not None else None
                chain.overlay(operation, image)
        chain.finish(self._work.width, self._work.height)
        return chain
