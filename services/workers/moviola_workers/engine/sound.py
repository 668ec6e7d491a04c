"""The result's sound: the source's packets as they are, or decoded, cut to the sample and encoded anew.

The picture sets the pace: whoever muxes asks for the sound up to the moment that the picture has reached, so that the
two are interleaved and nothing piles up.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from moviola.messages import Limits
from moviola.output import AudioCodec
from moviola.plan import Edit, SoundWork
from moviola_workers.engine import opening
from moviola_workers.engine.encoders import sound_form
from moviola_workers.engine.failures import refused
from moviola_workers.engine.levelling import Levelled, Sink, read_measurement
from moviola_workers.engine.reading import SLACK_SECONDS, SoundReader
from moviola_workers.engine.result import Result
from moviola_workers.engine.samples import Samples
from moviola_workers.engine.timeline import Timeline
from moviola_workers.job import Job

# Of so many seconds no more is made than is needed for now: what follows may be beyond the picture's end.
LONG_SILENCE = 60


class Sound(Protocol):
    def write(self, until: Fraction | None) -> None:
        """Mux the sound up to that second of the result; None: all that is left. May stop earlier, never later."""


class Silence:
    """No sound at all."""

    def write(self, until: Fraction | None) -> None:
        pass


class Together:
    """Several sounds, each for a file of its own."""

    def __init__(self, *sounds: Sound) -> None:
        self._sounds = sounds

    def write(self, until: Fraction | None) -> None:
        for sound in self._sounds:
            sound.write(until)


class CopiedSound:
    """Packet for packet, moved to the result's clock."""

    def __init__(self, path: Path, limits: Limits, result: Result, origin: Fraction, stack: ExitStack) -> None:
        reader = stack.enter_context(SoundReader(path, limits))
        source = reader.stream
        self._base = source.time_base or Fraction(1, source.codec_context.sample_rate)
        self._result = result
        self._stream = result.copied_stream(source)
        self._limits = limits
        self._packets = _in_order(reader.container.demux(source), -round(origin / self._base))
        self._waiting: Packet[AudioStream] | None = None

    def write(self, until: Fraction | None) -> None:
        for packet in self._due(until):
            packet.stream = self._stream  # type: ignore[assignment]  # a copied stream of the same kind
            self._result.mux(packet)

    def _due(self, until: Fraction | None) -> "Iterator[Packet[AudioStream]]":
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            if until is not None and (packet.pts or 0) * self._base > until:
                return
            self._waiting = None
            refuse_beyond((packet.pts or 0) * self._base, self._limits)
            yield packet


def _in_order(packets: "Iterator[Packet[AudioStream]]", shift: int) -> "Iterator[Packet[AudioStream]]":
    """Packets that reach beyond second 0, with times that grow; the muxer takes no others."""
    last: int | None = None
    for packet in packets:
        position = packet.pts if packet.pts is not None else packet.dts
        if position is None or packet.size == 0:
            continue
        position += shift
        # The packet before the first that is heard is kept: a decoder needs it to run in.
        if position + 2 * (packet.duration or 0) <= 0 or (last is not None and position <= last):
            continue
        packet.pts = packet.dts = last = position
        yield packet


class EncodedSound:
    """Decoded, cut where the picture is cut, and given on to be encoded; gaps in the source become silence.

    ``sink_for`` the source's stream says where the samples go, and so in which rate and layout.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        sink_for: Callable[[AudioStream], Sink],
        timeline: Timeline,
        stack: ExitStack,
    ) -> None:
        self._reader = stack.enter_context(SoundReader(path, limits))
        self._limits = limits
        self._timeline = timeline
        self._sink = sink_for(self._reader.stream)
        self._samples = Samples(self._sink.rate, self._sink.layout)
        self._paced = False
        self._index = -1
        self._frames: Iterator[AudioFrame] = iter(())
        self._waiting: AudioFrame | None = None

    def write(self, until: Fraction | None) -> None:
        self._paced = self._paced or until is not None
        while until is None or self._samples.seconds < until:
            if not self._step(until):
                break
        if until is None:
            self._sink.encode(None)

    def _step(self, until: Fraction | None) -> bool:
        """Take one frame on; False where the picture has not yet settled what becomes of it, or all is done."""
        if self._index < 0 and not self._enter(0):
            return False
        cut = self._timeline.cuts[self._index]
        frame = self._waiting or next(self._frames, None)
        self._waiting = frame
        if frame is None:
            return self._leave()
        begin, end = self._samples.span(frame)
        if not self._timeline.is_settled(self._index, end):
            return False
        refuse_beyond(begin - cut.start, self._limits)
        if begin - cut.start + cut.lands - self._samples.seconds > LONG_SILENCE and self._paced:
            return self._be_silent(until)
        self._waiting = None
        for piece in self._samples.placed(frame, begin, cut):
            self._sink.encode(piece)
        if cut.end is not None and end >= cut.end:
            return self._leave()
        return True

    def _be_silent(self, until: Fraction | None) -> bool:
        """No further than the picture has come, and where that is through, not at all: the sound ends with it."""
        for piece in self._samples.silence_until(until) if until is not None else ():
            self._sink.encode(piece)
        return False

    def _leave(self) -> bool:
        """On to the next cut; its beginning is filled up with silence, should this one's sound have been short."""
        if self._enter(self._index + 1):
            return True
        # Whether another cut will follow is known only when the picture is through.
        self._waiting = None
        return False

    def _enter(self, index: int) -> bool:
        if index >= len(self._timeline.cuts):
            return False
        cut = self._timeline.cuts[index]
        self._index = index
        self._waiting = None
        base = self._reader.time_base
        run_in = Fraction(1, 5)
        frames = self._reader.frames(int((cut.start - run_in) / base))
        self._frames = self._samples.uniform(frames)
        for piece in self._samples.silence_until(cut.lands):
            self._sink.encode(piece)
        return True


def refuse_beyond(seconds: Fraction, limits: Limits) -> None:
    """``media.too_long`` for sound so long after the beginning: the gap before it would be filled with silence."""
    if seconds > limits.max_seconds + SLACK_SECONDS:
        raise refused("media.too_long", f"The sound goes on beyond {limits.max_seconds:g} seconds.")


def is_copyable(stream: Stream, codec: AudioCodec) -> bool:
    """Already what the result holds, so that no generation need be lost."""
    return stream.codec_context.codec.canonical_name == codec


# Sound that begins later than this behind the picture is not copied where silence has to fill the time before it.
LATE = Fraction(1, 20)


def sound_of(
    job: Job,
    edit: Edit,
    result: Result,
    timeline: Timeline,
    origin: Fraction,
    stack: ExitStack,
    *,
    from_start: bool = False,
) -> Sound:
    """The sound of an edit: none, the source's packets from ``origin`` on, or its samples along the ``timeline``.

    ``from_start``: it has to begin with the picture, whatever the source's does.
    """
    with opening.opened(job.source, job.limits) as container:
        audio = None if edit.mute else opening.first_audio(container)
        if audio is None:
            return Silence()
        copied = _is_copied(edit, audio) and not (from_start and _is_late(audio, origin))
    if copied:
        return CopiedSound(job.source, job.limits, result, origin, stack)
    return EncodedSound(job.source, job.limits, lambda source: _encoder(source, job, edit, result), timeline, stack)


def begins_late(job: Job, edit: Edit, origin: Fraction) -> bool:
    """Whether the sound of an edit is copied, and begins so late that not everything can have it as it is."""
    with opening.opened(job.source, job.limits) as container:
        audio = None if edit.mute else opening.first_audio(container)
        return audio is not None and _is_copied(edit, audio) and _is_late(audio, origin)


def _is_copied(edit: Edit, audio: AudioStream) -> bool:
    return edit.spans is None and edit.sound is None and is_copyable(audio, edit.output.audio_codec)


def _is_late(audio: AudioStream, origin: Fraction) -> bool:
    start = opening.start_of(audio)
    return start is not None and start > origin + LATE


def _encoder(source: AudioStream, job: Job, edit: Edit, result: Result) -> Sink:
    work, codec = edit.sound or SoundWork(), edit.output.audio_codec
    context = source.codec_context
    encoder = result.sound(*sound_form(codec, context.sample_rate, context.channels, work.channels), codec)
    if work.target is None or work.measured is None:
        return encoder
    level = read_measurement(job.resources[work.measured]).level
    return Levelled(encoder, level) if level is not None else encoder
