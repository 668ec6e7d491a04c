"""Mixing down without clipping.

The usual coefficients (ITU-R BS.775: centre and surrounds at -3 dB) add up to more than 1, and FFmpeg leaves them so on
floats: a loud film would be clipped by whatever comes next. Here the matrix is scaled so that no row exceeds 1. The LFE
is left out, as BS.775 has it.
"""

from collections.abc import Iterator

from av.audio.frame import AudioFrame

from moviola_workers.engine.soundgraph import FORM, SoundGraph


class Mixdown:
    """In the place of a resampler: frames of one kind in, frames of ``rate`` and ``layout`` out; None flushes."""

    def __init__(self, rate: int, layout: str) -> None:
        self._rate = rate
        self._layout = layout
        self._graph: SoundGraph | None = None

    def resample(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        if frame is not None and self._graph is None:
            self._graph = self._built(frame)
        return self._graph.push(frame) if self._graph is not None else iter(())

    def _built(self, frame: AudioFrame) -> SoundGraph:
        graph = SoundGraph(frame.sample_rate, frame.layout.name, frame.format.name, frame.time_base)
        # Named options of the resampler; the matrix is its own, by the layouts on both sides.
        graph.add(
            "aresample",
            out_chlayout=self._layout,
            out_sample_rate=str(self._rate),
            out_sample_fmt=FORM,
            rematrix_maxval="1.0",
        )
        graph.finish()
        return graph
