"""An edit by one decode and one encode.

    [thread] demux → decode → select        frames in range, on the result's clock
    [here]   filter → encode → mux          with the sound drawn along

A decoder and an encoder have threads of their own besides; what matters is that neither waits for the other. With the
renditions of an HLS package the filters end in several sizes, each with an encoder of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from moviola.output import Output
from moviola.plan import Edit
from moviola_workers.engine import colour, opening
from moviola_workers.engine.ahead import ahead
from moviola_workers.engine.encoders import split_threads
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.picture import Picture, PictureWork
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.engine.renditions import Renditions
from moviola_workers.engine.result import PictureEncoder, Result
from moviola_workers.engine.selection import Selection
from moviola_workers.engine.sound import Silence, Sound, Together, begins_late, sound_of
from moviola_workers.engine.timeline import Timeline
from moviola_workers.job import Job, Report

# Pixels (in bytes) that may wait between the two threads.
WAITING_BYTES = 16 * 1024 * 1024
USUAL_RATE = Fraction(25)


def render(job: Job, edit: Edit, target: Path | None, report: Report, renditions: Renditions | None = None) -> Fraction:
    """Write ``target``, the renditions, or both; when the picture ends, in seconds.

    Raises ``TaskFailure``, after which what was written is worthless.
    """
    pulse = Pulse(report)
    with translated("rendering the video"), ExitStack() as stack:
        reader = stack.enter_context(PictureReader(job.source, job.limits, threads=job.encoder_threads))
        origin = opening.origin_of(job.source, job.limits)
        rate = _rate(reader.stream, job.limits.max_frame_rate)
        interlaced = reader.stream.codec_context.field_order > 1
        selection = Selection(reader, edit.spans, origin, job.limits, pulse.again)
        result = stack.enter_context(Result(target, edit.output.container)) if target is not None else None
        if renditions is not None:
            stack.enter_context(renditions)
        outlets = tuple(_outlets(edit, result, renditions, job.encoder_threads))
        frames = stack.enter_context(closing(ahead(_thinned(selection, reader, job), _depth(reader.stream))))
        first = next(frames)
        encoders = [
            outlet.to.encoded_picture(
                outlet.output,
                size=outlet.size,
                time_base=reader.time_base,
                rate=rate,
                colour=colour.colour_for(colour.colour_of(first)),
                threads=outlet.threads,
                grid=renditions.grid if renditions is not None else None,
            )
            for outlet in outlets
        ]
        sounds = _sounds(job, edit, result, renditions, selection.timeline, origin, stack)
        branches = [outlet.size for outlet in outlets] if renditions is not None else []
        work = _work(job, edit, selection.timeline, origin, branches)
        made = Picture(work, reader.time_base, interlaced=interlaced).branched(_chained(first, frames))
        _write(made, list(zip(encoders, outlets, strict=True)), sounds, edit.duration, pulse)
        return encoders[0].end


@dataclass(frozen=True, slots=True)
class Outlet:
    """One size of the picture, encoded once, and the file that it goes to."""

    size: tuple[int, int]
    output: Output
    to: Result
    threads: int


def _outlets(edit: Edit, result: Result | None, renditions: Renditions | None, threads: int) -> Iterator[Outlet]:
    """The result's first, if there is one; a rendition that is the same shares it."""
    rungs = renditions.rungs if renditions is not None else ()
    own = [rung for rung in rungs if result is None or not rung.shared]
    sizes = [(edit.width, edit.height)] * (result is not None) + [(rung.width, rung.height) for rung in own]
    shares = split_threads(threads, sizes, edit.output.video_codec)
    if result is not None:
        for rung in rungs:
            if rung.shared and renditions is not None:
                result.share("video", renditions.pictures[rung.name])
        yield Outlet(sizes[0], edit.output, result, shares[0])
    for rung, share in zip(own, shares[len(shares) - len(own) :], strict=True):
        if renditions is not None:
            yield Outlet((rung.width, rung.height), renditions.output, renditions.pictures[rung.name], share)


def _sounds(
    job: Job,
    edit: Edit,
    result: Result | None,
    renditions: Renditions | None,
    timeline: Timeline,
    origin: Fraction,
    stack: ExitStack,
) -> Sound:
    """The result's sound, and the same packets for the renditions wherever they can have them."""
    into = renditions.sound if renditions is not None else None
    if result is None or into is None:
        only = result or into
        return sound_of(job, edit, only, timeline, origin, stack, from_start=result is None) if only else Silence()
    sound = sound_of(job, edit, result, timeline, origin, stack)
    anew = edit.model_copy(update={"output": renditions.output}) if renditions is not None else edit
    if anew.output.audio_codec == edit.output.audio_codec and not begins_late(job, edit, origin):
        result.share("audio", into)
        return sound
    return Together(sound, sound_of(job, anew, into, timeline, origin, stack, from_start=True))


def _thinned(selection: Selection, reader: PictureReader, job: Job) -> Iterator[VideoFrame]:
    """Above the highest published rate, the frames that are too many are left out; those before them last longer."""
    most = Fraction(job.limits.max_frame_rate).limit_denominator(1000)
    # Some files (Matroska) tell no average; what is guessed instead may be too high, which costs nothing here.
    rate = reader.stream.average_rate or reader.stream.guessed_rate or 0
    if rate <= most * Fraction(101, 100):
        yield from selection.frames()
        return
    held: VideoFrame | None = None
    last = -1
    for frame in selection.frames():
        slot = int((frame.pts or 0) * reader.time_base * most)
        if held is not None and slot == last:
            held.duration += frame.duration
            continue
        if held is not None:
            yield held
        held, last = frame, slot
    if held is not None:
        yield held


def _rate(stream: VideoStream, most: float) -> Fraction:
    """What rate control goes by; frames carry their own times."""
    rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
    return min(max(rate, Fraction(1)), Fraction(most)).limit_denominator(100_000)


def _depth(stream: VideoStream) -> int:
    return max(2, min(16, WAITING_BYTES // max(1, stream.width * stream.height * 3 // 2)))


def _work(
    job: Job, edit: Edit, timeline: Timeline, origin: Fraction, branches: Sequence[tuple[int, int]]
) -> PictureWork:
    return PictureWork(
        operations=edit.picture,
        width=edit.width,
        height=edit.height,
        images=job.resources,
        threads=job.encoder_threads,
        timeline=timeline,
        origin=origin,
        branches=branches,
    )


def _write(
    frames: Iterator[tuple[int, VideoFrame]],
    encoders: Sequence[tuple[PictureEncoder, Outlet]],
    sound: Sound,
    duration: float,
    report: Report,
) -> None:
    """Encode and mux all; the sound follows the first picture, so that files are interleaved and nothing piles up."""
    wrote = False
    fed = written = 0.0
    for branch, frame in _with_flush(frames, len(encoders)):
        encoder, outlet = encoders[branch]
        if frame is not None:
            # An encoder that looks far ahead writes nothing for a while: what it takes in is progress as well.
            fed = _share(frame.pts, frame.time_base, duration)
            report((fed + written) / 2)
        for packet in encoder.encode(frame):
            wrote = True
            outlet.to.mux(packet)
            if branch == 0:
                written = max(written, _share(packet.pts, packet.time_base, duration))
                sound.write((packet.pts or 0) * packet.time_base)
            report((fed + written) / 2)
    if not wrote:
        raise refused("media.corrupt", "Not a single frame came out of the filters.")
    sound.write(None)
    report(1.0)


def _share(pts: int | None, base: Fraction | None, duration: float) -> float:
    """How much of *duration* lies before that time, 0 to 1."""
    if duration <= 0 or base is None:
        return 1.0
    return min(1.0, max(0.0, float((pts or 0) * base) / duration))


def _with_flush(frames: Iterator[tuple[int, VideoFrame]], count: int) -> Iterator[tuple[int, VideoFrame | None]]:
    yield from frames
    # The first one last: the sound goes to its end with it.
    yield from ((branch, None) for branch in reversed(range(count)))


def _chained(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest
