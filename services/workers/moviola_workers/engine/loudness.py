"""How loud the sound of a result will be, by EBU R128, before it is made. The sound alone is read."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from moviola.plan import Measure, Span
from moviola.probe import Loudness
from moviola_workers.engine import opening
from moviola_workers.engine.encoders import sound_form
from moviola_workers.engine.failures import translated
from moviola_workers.engine.levelling import Level, Levelled, Measurement, Sink, corrected, level_for
from moviola_workers.engine.sound import EncodedSound
from moviola_workers.engine.soundgraph import SoundGraph
from moviola_workers.engine.timeline import Timeline
from moviola_workers.job import Job, Report

# The meter gives its figures every 100 ms, and -70 LUFS where nothing was above its gate.
FIGURES_PER_SECOND = 10
GATE = -70.0
ROUNDS = 4


def measure(job: Job, wanted: Measure, report: Report) -> Measurement:
    """The loudness of the parts that are kept, mixed down as they will be, and what brings them to the target.

    Where peaks have to be limited, which takes from the loudness, it is listened to again behind the limiter.
    """
    with translated("measuring the sound"):
        found = _heard(job, wanted, None, _share(report, 0))
        level = level_for(found, wanted.target)
        if level is None or found.true_peak is None:
            return Measurement()
        for number in range(1, ROUNDS if level.limited else 1):
            heard = _heard(job, wanted, level, _share(report, number))
            level, before = corrected(level, heard, found.true_peak, wanted.target), level
            if level == before:
                break
    return Measurement(**found.model_dump(), gain=round(level.gain, 3), limited=level.limited)


def _share(report: Report, number: int) -> Report:
    """Nobody knows how often it has to be listened to: each time takes half of what is left."""
    return lambda done: report(1 - 0.5**number * (1 - done / 2))


def _heard(job: Job, wanted: Measure, level: Level | None, report: Report) -> Loudness:
    with ExitStack() as stack:
        meters: list[Meter] = []

        def sink_for(source: AudioStream) -> Sink:
            context = source.codec_context
            rate, layout = sound_form("aac", context.sample_rate, context.channels, wanted.channels)
            meters.append(Meter(rate, layout, wanted.duration, report))
            return Levelled(meters[0], level) if level is not None else meters[0]

        timeline = _timeline(wanted.spans, opening.origin_of(job.source, job.limits))
        EncodedSound(job.source, job.limits, sink_for, timeline, stack).write(None)
        return meters[0].loudness()


def _timeline(spans: Sequence[Span] | None, origin: Fraction) -> Timeline:
    """The parts as they are asked for: by less than a frame other than those that the picture will have."""
    timeline = Timeline()
    if spans is None:
        timeline.begin(origin, Fraction(0))
        timeline.end(Fraction(2**40))
    lands = Fraction(0)
    for span in spans or ():
        start, end = Fraction(span.start) + origin, Fraction(span.end) + origin
        timeline.begin(start, lands)
        timeline.end(end)
        lands += end - start
    return timeline


class Meter:
    """A sink that listens. ``duration`` in seconds is what it reports by."""

    def __init__(self, rate: int, layout: str, duration: float, report: Report) -> None:
        self.rate = rate
        self.layout = layout
        self._duration = max(duration, 0.001)
        self._report = report
        self._heard = 0
        self._figures: Mapping[str, str] = {}
        self._graph = SoundGraph(rate, layout)
        self._graph.add("ebur128", peak="true", metadata="1", framelog="quiet")
        self._graph.finish()

    def encode(self, frame: AudioFrame | None) -> None:
        if frame is None:
            self._fill_up()
        else:
            self._hear(frame)
            self._report(min(1.0, self._heard / self.rate / self._duration))

    def _fill_up(self) -> None:
        """The meter forgets what is no whole tenth of a second: the end is filled up with silence."""
        missing = -self._heard % (self.rate // FIGURES_PER_SECOND)
        if missing:
            silence = AudioFrame("fltp", self.layout, missing)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.time_base = self.rate, Fraction(1, self.rate)
            silence.pts = self._heard
            self._hear(silence)
        self._hear(None)

    def _hear(self, frame: AudioFrame | None) -> None:
        self._heard += frame.samples if frame is not None else 0
        for heard in self._graph.push(frame):
            self._figures = heard.metadata or self._figures

    def loudness(self) -> Loudness:
        """What was heard so far."""
        integrated = self._figure("I")
        peak = self._figure("true_peak")
        if integrated is None or integrated <= GATE or not peak:
            return Loudness()
        return Loudness(integrated=integrated, true_peak=round(20 * math.log10(peak), 2), range=self._figure("LRA"))

    def _figure(self, name: str) -> float | None:
        text = self._figures.get(f"lavfi.r128.{name}")
        return float(text) if text is not None else None
