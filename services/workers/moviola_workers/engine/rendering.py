"""An edit by one decode and one encode.

    [thread] demux → decode → select        frames in range, on the result's clock
    [here]   filter → encode → mux          with the sound drawn along

A decoder and an encoder have threads of their own besides; what matters is that neither waits for the other.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from moviola.plan import Edit
from moviola_workers.engine import colour, opening
from moviola_workers.engine.ahead import ahead
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.picture import Picture, PictureWork
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.engine.result import PictureEncoder, Result
from moviola_workers.engine.selection import Selection
from moviola_workers.engine.sound import Sound, sound_of
from moviola_workers.engine.timeline import Timeline
from moviola_workers.job import Job, Report

# Pixels (in bytes) that may wait between the two threads.
WAITING_BYTES = 16 * 1024 * 1024
USUAL_RATE = Fraction(25)


def render(job: Job, edit: Edit, target: Path, report: Report) -> None:
    """Write ``target``; raises ``TaskFailure``, after which what is at ``target`` is worthless."""
    pulse = Pulse(report)
    with translated("rendering the video"), ExitStack() as stack:
        reader = stack.enter_context(PictureReader(job.source, job.limits, threads=job.encoder_threads))
        origin = opening.origin_of(job.source, job.limits)
        rate = _rate(reader.stream, job.limits.max_frame_rate)
        interlaced = reader.stream.codec_context.field_order > 1
        selection = Selection(reader, edit.spans, origin, job.limits, pulse.again)
        result = stack.enter_context(Result(target, edit.output.container))
        frames = stack.enter_context(closing(ahead(_thinned(selection, reader, job), _depth(reader.stream))))
        first = next(frames)
        encoder = result.encoded_picture(
            edit.output,
            size=(edit.width, edit.height),
            time_base=reader.time_base,
            rate=rate,
            colour=colour.colour_for(colour.colour_of(first)),
            threads=job.encoder_threads,
        )
        sound = sound_of(job, edit, result, selection.timeline, origin, stack)
        picture = Picture(_work(job, edit, selection.timeline, origin), reader.time_base, interlaced=interlaced)
        made = picture.through(_chained(first, frames))
        _write(made, encoder, sound, result, edit.duration, pulse)


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


def _work(job: Job, edit: Edit, timeline: Timeline, origin: Fraction) -> PictureWork:
    return PictureWork(
        operations=edit.picture,
        width=edit.width,
        height=edit.height,
        images=job.resources,
        threads=job.encoder_threads,
        timeline=timeline,
        origin=origin,
    )


def _write(
    frames: Iterator[VideoFrame], encoder: PictureEncoder, sound: Sound, result: Result, duration: float, report: Report
) -> None:
    """Encode and mux all; the sound follows the picture, so that the file is interleaved and nothing piles up."""
    wrote = False
    fed = written = 0.0
    for frame in _with_flush(frames):
        if frame is not None:
            # An encoder that looks far ahead writes nothing for a while: what it takes in is progress as well.
            fed = _share(frame.pts, frame.time_base, duration)
            report((fed + written) / 2)
        for packet in encoder.encode(frame):
            wrote = True
            written = max(written, _share(packet.pts, packet.time_base, duration))
            result.mux(packet)
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


def _with_flush(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame | None]:
    yield from frames
    yield None


def _chained(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest
