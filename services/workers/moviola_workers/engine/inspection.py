"""Read a finished result: its form, the times of all its packets, and what its pictures and sound decode to."""

from dataclasses import dataclass
from pathlib import Path

from av.audio.stream import AudioStream
from av.stream import Stream

from moviola.messages import Limits
from moviola_workers.engine import opening
from moviola_workers.engine.decoding_samples import Decoded, decode_all, decode_samples
from moviola_workers.engine.failures import translated
from moviola_workers.engine.file_order import index_leads
from moviola_workers.engine.gauging import Found, Seen
from moviola_workers.engine.packet_times import PacketTimes, read_times
from moviola_workers.engine.pulse import Pulse
from moviola_workers.job import Report

HEAD = 64


@dataclass(frozen=True, slots=True)
class _Look:
    path: Path
    limits: Limits
    every_frame: bool
    copied: bool

    def at(self, stream: Stream, times: PacketTimes, report: Report) -> Seen:
        # The stubs promise a codec context; a stream of an unknown codec has none.
        if stream.codec_context is None:
            return Seen(codec="unknown", times=times, decoded=Decoded())
        # What an encoder of ours made has no broken parts; a source may.
        strict = not self.copied
        if self.every_frame:
            decoded = decode_all(self.path, self.limits, stream.index, report, strict=strict)
        else:
            decoded = decode_samples(self.path, self.limits, stream.index, times, report, strict=strict)
        rate = stream.codec_context.sample_rate if isinstance(stream, AudioStream) else 0
        return Seen(codec=stream.codec_context.codec.canonical_name, times=times, decoded=decoded, sample_rate=rate)


def inspect(path: Path, limits: Limits, report: Report, *, every_frame: bool, copied: bool) -> Found:
    """Packets are the first half of the work, decoding the second. ``TaskFailure`` where the file can't be read.

    ``copied``: the picture is the source's own, and may have its faults.
    """
    pulse, look = Pulse(report), _Look(path, limits, every_frame, copied)
    with translated("looking at the result"), opening.opened(path, limits) as container:
        times = read_times(container, limits, lambda done: pulse(done / 2))

        def seen(stream: Stream) -> Seen:
            return look.at(stream, times[stream.index], lambda done: pulse((1 + done) / 2))

        pictures, sounds = container.streams.video, container.streams.audio
        return Found(
            container=_form(path),
            index_leads=index_leads(path),
            pictures=tuple(seen(stream) for stream in pictures),
            sounds=tuple(seen(stream) for stream in sounds),
            others=len(container.streams) - len(pictures) - len(sounds),
        )


def _form(path: Path) -> str:
    """The container by its own word: ISO/IEC 14496-12's first box, or the DocType of RFC 8794."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[4:8] == b"ftyp":
        return "mp4" if head[8:12] != b"qt  " else "mov"
    return "webm" if b"webm" in head else "matroska" if b"matroska" in head else "unknown"
