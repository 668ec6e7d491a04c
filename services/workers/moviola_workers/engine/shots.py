"""Packets of an H.264 stream as pieces that can be taken out: where each picture is shown, and what leans on what.

An IDR picture starts a group that needs nothing before it (ITU-T H.264, section 7.4.1.2.4): all that follows it is
shown behind it. What is not of that kind, or not certain, is ``NotCopyable``, whose text ends the sentence "The part is
encoded anew: ...".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Self

from av.packet import Packet
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine import nal
from moviola_workers.engine.nal import BrokenUnits
from moviola_workers.engine.parameter_sets import PROFILES, ParameterSets, parameter_sets_of
from moviola_workers.engine.picture_form import PictureForm, form_of

CODEC = "h264"
TOLERATED_RATE = 1.01
PIXELS = frozenset({"yuv420p", "yuvj420p"})


class NotCopyable(Exception):
    """Why packets of this file can't be joined with newly encoded ones."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: shown at the tick ``at`` for ``duration``; ``starts`` a group; ``hidden`` where only decoded."""

    at: int
    duration: int
    starts: bool
    hidden: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What the encoder at the borders has to match beside the header; colours as FFmpeg numbers them."""

    pixels: str
    aspect: Fraction
    range: int
    matrix: int
    primaries: int
    transfer: int

    @classmethod
    def of(cls, stream: VideoStream) -> Self:
        context = stream.codec_context
        return cls(
            pixels=context.pix_fmt or "",
            aspect=stream.sample_aspect_ratio or Fraction(1),
            range=context.color_range,
            matrix=context.colorspace,
            primaries=context.color_primaries,
            transfer=context.color_trc,
        )


class Inspector:
    """Looks into the packets of one stream, in the order of decoding; the header was looked at when it was made.

    It outlives the stream, which goes when its file is closed.
    """

    def __init__(self, stream: VideoStream, limits: Limits) -> None:
        self.sets = _sets_of(stream)
        self.form = _form_of(stream, self.sets)
        self.look = Look.of(stream)
        if (stream.average_rate or 0) > limits.max_frame_rate * TOLERATED_RATE:
            raise NotCopyable(f"the file has more than {limits.max_frame_rate:g} pictures a second")

    def shot(self, packet: "Packet[VideoStream]") -> Shot:
        """``NotCopyable`` where the packet is none that can be copied."""
        if packet.pts is None:
            raise NotCopyable("the file does not say when its pictures are shown")
        if packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change"):
            raise NotCopyable("the picture's form changes midway")
        starts = self._starts(packet)
        if packet.is_keyframe and not starts:
            raise NotCopyable("the file has open GOPs: its key frames are no clean places to start at")
        return Shot(packet.pts, max(0, packet.duration or 0), starts, packet.is_discard)

    def _starts(self, packet: "Packet[VideoStream]") -> bool:
        kinds = set()
        try:
            for unit in nal.units(memoryview(packet), self.sets.length_size):
                kind = nal.kind_of(unit)
                kinds.add(kind)
                if kind in (nal.SPS, nal.PPS) and bytes(unit).rstrip(b"\x00") not in self.sets.known:
                    raise NotCopyable("the picture's parameter sets change midway")
        except BrokenUnits as error:
            raise NotCopyable(f"the file has a broken packet: {error}") from error
        if kinds & nal.BEYOND:
            raise NotCopyable("the stream has layers or partitioned slices")
        if not kinds & {nal.SLICE, nal.IDR}:
            raise NotCopyable("the file has packets without a picture")
        return nal.IDR in kinds


def _sets_of(stream: VideoStream) -> ParameterSets:
    if stream.codec_context.codec.canonical_name != CODEC:
        raise NotCopyable("the picture is not H.264")
    try:
        sets = parameter_sets_of(stream.codec_context.extradata)
    except BrokenUnits as error:
        raise NotCopyable(f"the file's H.264 header can't be read: {error}") from error
    if not sets.sequences or not sets.pictures:
        raise NotCopyable("the file's header has no H.264 parameter sets")
    if len(sets.sequences) > 1:
        raise NotCopyable("the file has several H.264 sequence parameter sets")
    return sets


def _form_of(stream: VideoStream, sets: ParameterSets) -> PictureForm:
    try:
        form = form_of(sets.sequences[0])
        sets.free_number()
    except BrokenUnits as error:
        raise NotCopyable(f"the file's H.264 header can't be read: {error}") from error
    if form.profile not in PROFILES:
        raise NotCopyable("the picture is of no common H.264 profile (baseline, main or high)")
    if (form.chroma, form.depth) != (1, 8) or stream.codec_context.pix_fmt not in PIXELS:
        raise NotCopyable("the picture is not 8-bit 4:2:0")
    if not form.frames_only or stream.codec_context.field_order > 1:
        raise NotCopyable("the picture may be interlaced")
    if (form.width, form.height) != (stream.width, stream.height):
        raise NotCopyable("the header tells another size than the pictures")
    return form


def groups(shots: Iterable[Shot]) -> Iterator[list[Shot]]:
    """From one start to the next; the first group may begin without one. ``NotCopyable`` where times lie."""
    group: list[Shot] = []
    for shot in shots:
        if shot.starts and group:
            if max(one.at for one in group) >= shot.at:
                raise NotCopyable("the pictures' times are out of order")
            yield _checked(group)
            group = []
        group.append(shot)
    if group:
        yield _checked(group)


def _checked(group: list[Shot]) -> list[Shot]:
    if len({shot.at for shot in group}) < len(group) or (group[0].starts and min(s.at for s in group) < group[0].at):
        raise NotCopyable("the pictures' times are out of order")
    return group


def stops(group: Sequence[Shot]) -> Iterator[int]:
    """After how many packets copying may stop; all of them is the last answer.

    So many packets must be as many pictures in the order of showing: none that is shown earlier may be missing.
    """
    latest = list(accumulate((shot.at for shot in group), max))
    earliest = list(accumulate((shot.at for shot in reversed(group)), min))[::-1]
    for count in range(1, len(group)):
        if latest[count - 1] < earliest[count]:
            yield count
    yield len(group)


def depth(group: Sequence[Shot]) -> int:
    """By how many places a picture is decoded later than it is shown, at most."""
    ranks = {at: rank for rank, at in enumerate(sorted(shot.at for shot in group))}
    return max(index - ranks[shot.at] for index, shot in enumerate(group))
