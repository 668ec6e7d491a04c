"""Bringing sound to a loudness that was asked for: one gain for all of it, and a limiter only where peaks need one.

One gain, so that quiet and loud passages keep their distance (EBU R128). True peaks (ITU-R BS.1770, annex 2) end below
-1 dBTP; room is kept for what the encoder adds to them. Where the limiter would have to take away more than 12 dB, the
gain is held back instead: a quiet recording with a bang in it is left quieter than asked rather than squashed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from av.audio.frame import AudioFrame
from pydantic import Field, ValidationError

from moviola.errors import TaskFailure
from moviola.probe import Loudness
from moviola_workers.engine.soundgraph import SoundGraph

# dBTP: -1, and the room that lossy encoders need.
CEILING = -2.0
MOST_LIMITED = 12.0
# What is left between the target and the result in LU is not worth another look.
NEAR = 0.1
# Peaks between the samples are seen by the limiter at four times the rate.
OVERSAMPLED = 4


class Sink(Protocol):
    """Takes frames of ``rate``, ``layout`` and planar floats, one behind the other; None is the end."""

    rate: int
    layout: str

    def encode(self, frame: AudioFrame | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Level:
    """``gain`` in dB; ``limited``: some peaks would lie above the ceiling."""

    gain: float
    limited: bool


class Measurement(Loudness):
    """What ``loudness.json`` holds: how loud the sound is, and what brings it to the target; no gain for silence."""

    gain: float | None = Field(default=None, allow_inf_nan=False)
    limited: bool = False

    @property
    def level(self) -> Level | None:
        return Level(self.gain, self.limited) if self.gain is not None else None


def level_for(loudness: Loudness, target: float) -> Level | None:
    """What brings sound of that loudness to *target* LUFS; None for silence, which no gain makes louder."""
    if loudness.integrated is None or loudness.true_peak is None:
        return None
    gain = min(target - loudness.integrated, _most(loudness.true_peak))
    return Level(gain=gain, limited=loudness.true_peak + gain > CEILING)


def corrected(level: Level, heard: Loudness, true_peak: float, target: float) -> Level:
    """*level* with what the limiter took from the loudness added to the gain; the same where it is near enough."""
    miss = target - (target if heard.integrated is None else heard.integrated)
    gain = min(level.gain + miss, _most(true_peak))
    return level if abs(gain - level.gain) < NEAR else Level(gain=gain, limited=level.limited)


def _most(true_peak: float) -> float:
    return CEILING + MOST_LIMITED - true_peak


def read_measurement(path: Path) -> Measurement:
    """What the measuring pass wrote."""
    try:
        return Measurement.model_validate_json(path.read_bytes())
    except ValidationError as error:
        message = "The measured loudness that came with the task can't be read."
        raise TaskFailure("worker.bad_input", message, permanent=True) from error


class Levelled:
    """A sink before a sink: what it takes reaches the other one at the right level, sample for sample."""

    def __init__(self, sink: Sink, level: Level) -> None:
        self.rate = sink.rate
        self.layout = sink.layout
        self._sink = sink
        self._graph = _graph(sink.rate, sink.layout, level)
        self._given = 0

    def encode(self, frame: AudioFrame | None) -> None:
        for piece in self._counted(self._graph.push(frame)):
            self._sink.encode(piece)
        if frame is None:
            self._sink.encode(None)

    def _counted(self, pieces: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
        """The limiter looks ahead and shifts its clock; samples are counted anew."""
        for piece in pieces:
            piece.pts, piece.time_base = self._given, Fraction(1, self.rate)
            self._given += piece.samples
            yield piece


def _graph(rate: int, layout: str, level: Level) -> SoundGraph:
    graph = SoundGraph(rate, layout)
    graph.add("volume", volume=f"{level.gain:.3f}dB", precision="float")
    if level.limited:
        graph.add("aresample", out_sample_rate=str(rate * OVERSAMPLED))
        limit = f"{10 ** (CEILING / 20):.6f}"
        graph.add("alimiter", limit=limit, attack="5", release="50", level="0", latency="1")
        graph.add("aresample", out_sample_rate=str(rate))
    graph.finish()
    return graph
