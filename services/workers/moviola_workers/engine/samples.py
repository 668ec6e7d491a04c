"""Sound as a row of samples on the result's clock: made uniform, cut to the sample, gaps filled."""

from collections.abc import Iterator
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler

from moviola_workers.engine.mixing import Mixdown
from moviola_workers.engine.timeline import Cut

FORM = "fltp"
SAMPLE_BYTES = 4
# Timestamps are rounded by containers and wander with clocks; only a larger step is a gap or an overlap.
JITTER = Fraction(1, 50)
SILENT_PIECE = 4096


class Samples:
    """Counts what was handed out: ``seconds`` is where the next sample will lie."""

    def __init__(self, rate: int, layout: str) -> None:
        self.rate = rate
        self.layout = layout
        self._written = 0

    @property
    def seconds(self) -> Fraction:
        return Fraction(self._written, self.rate)

    def uniform(self, frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
        """In one rate, layout and form; a source that changes its own midway is followed."""
        resampler, kind = None, None
        for frame in frames:
            here = frame.format.name, frame.layout.name, frame.sample_rate
            if resampler is None or kind != here:
                if resampler is not None:
                    yield from resampler.resample(None)
                resampler, kind = self._resampler(frame), here
            yield from resampler.resample(frame)
        if resampler is not None:
            yield from resampler.resample(None)

    def _resampler(self, frame: AudioFrame) -> AudioResampler | Mixdown:
        if frame.layout.nb_channels > AudioLayout(self.layout).nb_channels:
            return Mixdown(self.rate, self.layout)
        return AudioResampler(format=FORM, layout=self.layout, rate=self.rate)

    def span(self, frame: AudioFrame) -> tuple[Fraction, Fraction]:
        """From when to when the frame sounds, on the source's clock."""
        begin = (frame.pts or 0) * (frame.time_base or Fraction(1, self.rate))
        return begin, begin + Fraction(frame.samples, self.rate)

    def placed(self, frame: AudioFrame, begin: Fraction, cut: Cut) -> Iterator[AudioFrame]:
        """The part of the frame that lies in the cut, behind the silence that may be due before it."""
        first = round((begin - cut.start + cut.lands) * self.rate)
        last = round((cut.end - cut.start + cut.lands) * self.rate) if cut.end is not None else None
        if self._written > round(cut.lands * self.rate) and abs(first - self._written) <= JITTER * self.rate:
            first = self._written
        elif first > self._written:
            # Sound that begins only behind the cut's end leaves it silent, and no longer than it is.
            until = first if last is None else min(first, last)
            yield from self.silence_until(Fraction(until, self.rate))
        skip = max(0, self._written - first)
        keep = frame.samples
        if last is not None:
            keep = min(keep, last - first)
        if skip < keep:
            yield self._counted(frame if (skip, keep) == (0, frame.samples) else self._slice(frame, skip, keep))

    def silence_until(self, second: Fraction) -> Iterator[AudioFrame]:
        """Silence up to there; nothing where that is past."""
        while (missing := round(second * self.rate) - self._written) > 0:
            piece = AudioFrame(FORM, self.layout, min(missing, SILENT_PIECE))
            for plane in piece.planes:
                plane.update(bytes(plane.buffer_size))
            yield self._counted(piece)

    def _slice(self, frame: AudioFrame, begin: int, end: int) -> AudioFrame:
        piece = AudioFrame(FORM, self.layout, end - begin)
        for target, source in zip(piece.planes, frame.planes, strict=True):
            target.update(bytes(source)[begin * SAMPLE_BYTES : end * SAMPLE_BYTES])
        return piece

    def _counted(self, frame: AudioFrame) -> AudioFrame:
        frame.sample_rate = self.rate
        frame.time_base = Fraction(1, self.rate)
        frame.pts = self._written
        self._written += frame.samples
        return frame
