"""A cut without encoding what need not be: whole groups of pictures are copied, the borders are encoded anew.

    cut_list        which packets, which pictures, and when the result shows them
    boundary        the pictures at the borders, made to fit
    here            both in one track, in one order of decoding, with the sound along

What is copied is copied byte for byte. Where anything is not as it must be, ``NotCopyable`` says why, and what is at
the target is worthless: the caller encodes the whole part instead.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from moviola.plan import Edit
from moviola_workers.engine import nal, opening
from moviola_workers.engine.boundary import BoundaryEncoder, Pace
from moviola_workers.engine.cut_list import Copied, CutList, Encoded, cut_list
from moviola_workers.engine.failures import translated
from moviola_workers.engine.packet_source import PacketSource
from moviola_workers.engine.parameter_sets import NO_SETS, joined_header
from moviola_workers.engine.reading import PictureReader
from moviola_workers.engine.result import Result
from moviola_workers.engine.shots import NotCopyable
from moviola_workers.engine.sound import sound_of
from moviola_workers.engine.track import Clock, Track
from moviola_workers.job import Job, Report

USUAL_RATE = Fraction(25)
# What belongs to the header of a track, or to no track at all, when packets with start codes are rewritten.
NOT_IN_TRACK = frozenset({nal.SPS, nal.PPS, nal.DELIMITER})


def smart_cut(job: Job, edit: Edit, target: Path, report: Report) -> None:
    """Write ``target`` with ``edit.spans`` of the source; ``NotCopyable``, or ``TaskFailure``, where that fails."""
    with translated("cutting the video"), ExitStack() as stack:
        source = stack.enter_context(PacketSource(job.source, job.limits))
        origin = opening.origin_of(job.source, job.limits)
        cut = cut_list(edit.spans or (), lambda tick: source.shots(tick, report), origin, source.base)
        if not cut.copied:
            raise NotCopyable("no key frame lies inside of what is kept")
        pace = Pace(source.base, _rate(source.stream, job.limits.max_frame_rate))
        encoder = _encoder(source, cut, job, edit, pace)
        result = stack.enter_context(Result(target))
        stream = result.copied_stream(source.stream)
        stream.codec_context.extradata = joined_header(source.inspector.sets, encoder.sets if encoder else NO_SETS)
        sound = sound_of(job, edit, result, cut.timeline, origin, stack)
        total = cut.copied + cut.encoded
        track = Track(total, result, stream, sound, _clock(cut, encoder, pace), source.base)
        for done in _written(job, source, cut, encoder, track):
            report(done / total)
        sound.write(None)
    report(1.0)


def _rate(stream: VideoStream, most: float) -> Fraction:
    """Within what x264 takes."""
    rate = max(stream.average_rate or stream.guessed_rate or USUAL_RATE, Fraction(1))
    return min(rate, Fraction(most)).limit_denominator(100_000)


def _encoder(source: PacketSource, cut: CutList, job: Job, edit: Edit, pace: Pace) -> BoundaryEncoder | None:
    if not cut.encoded:
        return None
    return BoundaryEncoder(source.inspector, edit.output, pace, depth=cut.depth, threads=job.encoder_threads)


def _clock(cut: CutList, encoder: BoundaryEncoder | None, pace: Pace) -> Clock:
    depth = max(cut.depth, encoder.depth if encoder else 0)
    return Clock(depth, cut.pieces[-1].until, max(1, round(1 / (pace.rate * pace.base))))


def _written(
    job: Job, source: PacketSource, cut: CutList, encoder: BoundaryEncoder | None, track: Track
) -> Iterator[int]:
    """Write all pieces; yields how many pictures are done."""
    done = 0
    with PictureReader(job.source, job.limits, threads=job.encoder_threads) as reader:
        for piece in cut.pieces:
            if isinstance(piece, Copied):
                steps = _copy(piece, source, track)
            elif encoder is not None:
                steps = _encode(piece, reader, encoder, track)
            for _ in steps:
                done += 1
                yield done


def _copy(piece: Copied, source: PacketSource, track: Track) -> Iterator[None]:
    count = 0
    for packet in source.packets(piece.first):
        shot = source.inspector.shot(packet)
        if not count and shot.at != piece.first:
            continue
        last = shot.at == piece.last
        track.write(
            _in_mp4(packet, source.inspector.sets.length_size),
            shot.at + piece.shift,
            piece.until - shot.at - piece.shift if last else None,
        )
        yield
        count += 1
        if count == piece.count:
            return
    raise NotCopyable("the file reads differently the second time")


def _in_mp4(packet: "Packet[VideoStream]", length_size: int | None) -> "Packet[VideoStream] | Packet[Stream]":
    if length_size == nal.LENGTH:
        return packet
    row = (unit for unit in nal.units(memoryview(packet), length_size) if nal.kind_of(unit) not in NOT_IN_TRACK)
    fresh = Packet(nal.measured(row))
    fresh.is_keyframe, fresh.duration = packet.is_keyframe, packet.duration
    return fresh


def _encode(piece: Encoded, reader: PictureReader, encoder: BoundaryEncoder, track: Track) -> Iterator[None]:
    places = [at for _, at in piece.pictures]
    durations = dict(zip(places, (b - a for a, b in zip(places, [*places[1:], piece.until], strict=True)), strict=True))
    for made in encoder.encode(_frames(piece, reader)):
        if made.at not in durations:
            raise NotCopyable("the encoder gave a picture another time")
        packet = Packet(made.data)
        packet.is_keyframe = made.starts
        track.write(packet, made.at, durations.pop(made.at))
        yield
    if durations:
        raise NotCopyable("not every picture at the cut could be encoded")


def _frames(piece: Encoded, reader: PictureReader) -> Iterator[VideoFrame]:
    """The piece's pictures, each with its time in the result."""
    wanted = dict(piece.pictures)
    for frame in reader.frames(piece.pictures[0][0]):
        at = wanted.pop(frame.pts or 0, None)
        if at is not None:
            if frame.interlaced_frame:
                raise NotCopyable("the picture is interlaced")
            frame.pts, frame.time_base = at, reader.time_base
            yield frame
        if not wanted:
            return
    raise NotCopyable("not every picture at the cut could be decoded")
