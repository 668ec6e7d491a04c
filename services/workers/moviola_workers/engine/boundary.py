"""The pictures at a cut's borders, encoded so that they fit between the source's packets.

Same profile, level and size of the decoder's buffer as the source, no picture that leans on another piece, and
parameter sets of another number (x264's ``sps-id``), so that both kinds of pictures can live in one track.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags, ThreadType
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from moviola.recipe import Output
from moviola_workers.engine import nal
from moviola_workers.engine.failures import FFmpegError
from moviola_workers.engine.nal import BrokenUnits
from moviola_workers.engine.parameter_sets import PROFILES, ParameterSets, parameter_sets_of
from moviola_workers.engine.picture_form import BASELINE, HIGH, PictureForm, form_of
from moviola_workers.engine.shots import Inspector, NotCopyable

# Short pieces between the source's own pictures: a little better than asked for, so that the eye finds no border.
BETTER = 3
BEST = 1
B_FRAMES = 3
MOST_REFERENCES = 16
KEY_FRAME_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a tick, and pictures a second; the latter only guides the encoder."""

    base: Fraction
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Made:
    """One encoded picture: shown at the result's tick ``at``; ``data`` as mp4 keeps it."""

    at: int
    starts: bool
    data: bytes


class BoundaryEncoder:
    """Encodes one piece after the other; ``depth`` is how far it reorders pictures.

    ``NotCopyable`` where x264 can't make what the source's decoder expects.
    """

    def __init__(self, inspector: Inspector, output: Output, pace: Pace, *, depth: int, threads: int) -> None:
        self._inspector = inspector
        self._output = output
        self._pace = pace
        self._threads = threads
        self.depth = min(depth, 1) if inspector.form.profile != BASELINE else 0
        self._context: VideoCodecContext | None = self._opened()
        self.sets = _checked(self._context, inspector)

    def encode(self, frames: Iterator[VideoFrame]) -> Iterator[Made]:
        """The frames of one piece, with the result's times, in the order of decoding."""
        context = self._context or self._opened()
        self._context = None
        if parameter_sets_of(context.extradata) != self.sets:
            raise NotCopyable("the encoder changed its form from piece to piece")
        for frame in frames:
            frame.pict_type = PictureType.NONE
            yield from map(_made, context.encode(frame))
        yield from map(_made, context.encode(None))

    def _opened(self) -> VideoCodecContext:
        form, look = self._inspector.form, self._inspector.look
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = form.width, form.height
        context.pix_fmt = look.pixels
        context.time_base = self._pace.base
        context.framerate = self._pace.rate
        context.sample_aspect_ratio = look.aspect
        context.gop_size = max(1, round(self._pace.rate * KEY_FRAME_SECONDS))
        context.color_range, context.colorspace = look.range, look.matrix
        context.color_primaries, context.color_trc = look.primaries, look.transfer
        context.thread_count = self._threads
        context.thread_type = ThreadType.FRAME
        context.flags |= Flags.global_header
        context.options = self._options(form)
        try:
            context.open()
        except FFmpegError as error:
            raise NotCopyable("the encoder can't make pictures of the source's form") from error
        return context

    def _options(self, form: PictureForm) -> dict[str, str]:
        buffered = min(max(form.buffered or form.references, 1), MOST_REFERENCES)
        own = {
            "sps-id": self._inspector.sets.free_number(),
            "bframes": B_FRAMES if self.depth else 0,
            "b-pyramid": "none",
            "ref": min(buffered, 3),
            "dpb-size": buffered,
            "level": form.level,
            # Fast presets leave these out, and x264 then names a lower profile.
            "cabac": int(form.profile != BASELINE),
            "8x8dct": int(form.profile == HIGH),
        }
        return {
            "preset": self._output.preset,
            "crf": str(max(BEST, self._output.quality - BETTER)),
            "profile": PROFILES[form.profile],
            "x264-params": ":".join(f"{name}={value}" for name, value in own.items()),
        }


def _checked(context: VideoCodecContext, inspector: Inspector) -> ParameterSets:
    """The encoder's sets, once it is certain that they go with the source's."""
    try:
        sets = parameter_sets_of(context.extradata)
        (form,) = map(form_of, sets.sequences)
    except (BrokenUnits, ValueError) as error:
        raise NotCopyable("the encoder's header can't be read") from error
    own = inspector.form
    if form.id == own.id or (form.profile, form.width, form.height) != (own.profile, own.width, own.height):
        raise NotCopyable("the encoder can't make pictures of the source's form")
    return sets


def _made(packet: "Packet[VideoStream]") -> Made:
    row = (unit for unit in nal.units(memoryview(packet), None) if nal.kind_of(unit) not in (nal.SPS, nal.PPS))
    return Made(packet.pts or 0, packet.is_keyframe, nal.measured(row))
