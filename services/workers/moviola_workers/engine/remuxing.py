"""An edit that decodes no picture: its packets as they are, in a new file, with whatever becomes of the sound."""

from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from moviola.plan import Edit
from moviola_workers.engine import opening
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.result import Result
from moviola_workers.engine.sound import sound_of
from moviola_workers.engine.timeline import Timeline
from moviola_workers.job import Job, Report

LOOKED_AT = 100


def can_copy(job: Job) -> bool:
    """Whether packets say when they are shown; some old containers (AVI) leave that to the decoder."""
    with translated("reading the video"), opening.opened(job.source, job.limits) as container:
        video = opening.main_video(container, job.limits)
        return all(packet.pts is not None for packet in islice(container.demux(video), LOOKED_AT) if packet.size)


def copy_packets(job: Job, edit: Edit, target: Path, report: Report) -> None:
    """Write ``target`` with the video stream of the source: the same bytes, the same times; the sound as the edit says.

    A rotation stays a rotation of the header's. Memory does not grow with the file, beyond its index.
    """
    size = job.source.stat().st_size
    with translated("reading the video"):
        origin = opening.origin_of(job.source, job.limits)
    with (
        translated("copying the video"),
        opening.opened(job.source, job.limits) as container,
        Result(target, edit.output.container) as result,
        ExitStack() as stack,
    ):
        video = opening.main_video(container, job.limits)
        opening.only(container, video)
        stream = result.copied_stream(video)
        base = video.time_base or Fraction(1)
        shift = -round(origin / base)
        sound = sound_of(job, edit, result, _whole(origin), origin, stack)
        count = 0
        for packet in container.demux(video):
            if packet.size == 0:
                continue  # The demuxer ends with an empty packet that means "flush"; it is no picture.
            if packet.pos is not None and packet.pos >= 0:
                report(min(1.0, packet.pos / size))
            _move(packet, shift)
            packet.stream = stream  # type: ignore[assignment]  # a copied stream of the same kind
            result.mux(packet)
            sound.write((packet.pts or 0) * base)
            count += 1
        if count == 0:
            raise refused("media.corrupt", "The video stream holds not a single packet.")
        sound.write(None)
    report(1.0)


def _whole(origin: Fraction) -> Timeline:
    timeline = Timeline()
    timeline.begin(origin, Fraction(0))
    timeline.end(Fraction(2**40))
    return timeline


def _move(packet: "Packet[VideoStream]", shift: int) -> None:
    if packet.pts is not None:
        packet.pts += shift
    if packet.dts is not None:
        packet.dts += shift
