"""A chain of audio filters, one behind the other. Built from typed values, as everything that goes into a graph."""

from collections.abc import Iterator
from fractions import Fraction

import av.error
from av.audio.frame import AudioFrame
from av.filter.graph import Graph

FORM = "fltp"


class SoundGraph:
    """Frames of one rate, layout and form in, planar floats out; ``add`` the filters, then ``finish``, then push.

    ``base`` is the unit of the frames' times; None: a sample.
    """

    def __init__(self, rate: int, layout: str, form: str = FORM, base: Fraction | None = None) -> None:
        self._graph = Graph()
        # One thread: these filters are cheap, and the picture has the others.
        self._graph.threads = 1
        self._source = self._last = self._graph.add(
            "abuffer",
            sample_rate=str(rate),
            sample_fmt=form,
            channel_layout=layout,
            time_base=str(base or Fraction(1, rate)),
        )

    def add(self, name: str, **options: str) -> None:
        node = self._graph.add(name, **options)
        self._last.link_to(node)
        self._last = node

    def finish(self) -> None:
        self.add("aformat", sample_fmts=FORM)
        self.add("abuffersink")
        self._graph.configure()

    def push(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """What comes out in answer; None: whatever is left."""
        self._source.push(frame)
        while True:
            try:
                yield self._graph.pull()  # type: ignore[misc]  # the sink of an audio graph gives audio frames
            except (av.error.BlockingIOError, av.error.EOFError):
                return
