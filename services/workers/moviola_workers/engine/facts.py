"""The facts of a file, as truthfully as its packets and its first picture tell them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream as SourceAudio
from av.container.input import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as SourceVideo

from moviola.messages import Limits
from moviola.probe import AudioStream, Probe, VideoStream, Warning
from moviola_workers.engine import colour, geometry, opening, packets
from moviola_workers.engine.cut_survey import CutSurvey
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.packets import Survey
from moviola_workers.engine.reading import PictureReader

UNSAID_RATE = Fraction(25)
# Header and packets may differ by this much before it is worth a word.
SLACK = Fraction(1)


def read_facts(path: Path, limits: Limits) -> Probe:
    """What comes back has a picture that decodes and keeps the limits; else ``TaskFailure`` with a published code."""
    with translated("reading the file's facts"), opening.opened(path, limits) as container:
        video = opening.main_video(container, limits)
        cut = CutSurvey(video, limits)
        surveyed = packets.survey(container, video, limits, cut.take)
        if surveyed.encrypted:
            raise refused("media.encrypted", "The video is encrypted.")
        # After the packets, since encrypted pictures look like broken ones.
        first, interlaced = _first_picture(path, limits)
        origin = opening.origin_of(path, limits)
        duration = surveyed.end * surveyed.base - origin
        _check_length(duration, limits)
        about = _video(video, first, surveyed, interlaced=interlaced)
        cutting = cut.facts(origin, surveyed.base, complete=surveyed.count is not None)
        return _probe(path, container, about.model_copy(update={"cut": cutting}), duration, first)


def _first_picture(path: Path, limits: Limits) -> tuple[VideoFrame, bool]:
    """Decoded, since a header alone proves nothing; and whether the stream is interlaced."""
    with PictureReader(path, limits, threads=1) as reader:
        frame = next(reader.frames(), None)
        if frame is None:
            raise refused("media.corrupt", "Not a single frame could be decoded.")
        opening.check_size(frame.width, frame.height, limits)
        return frame, frame.interlaced_frame or reader.stream.codec_context.field_order > 1


def _check_length(duration: Fraction, limits: Limits) -> None:
    if duration > limits.max_seconds:
        raise refused("media.too_long", f"The video is longer than {limits.max_seconds:g} seconds.")


def _probe(path: Path, container: InputContainer, video: VideoStream, duration: Fraction, first: VideoFrame) -> Probe:
    size = path.stat().st_size
    return Probe(
        container=container.format.name,
        size=size,
        duration=float(max(duration, Fraction(0))),
        bit_rate=round(size * 8 / duration) if duration > 0 else None,
        video=video,
        audio=tuple(_audio(stream) for stream in container.streams.audio),
        subtitles=len(container.streams.subtitles),
        warnings=tuple(_warnings(container, video, duration, first)),
    )


def _video(stream: SourceVideo, first: VideoFrame, surveyed: Survey, *, interlaced: bool) -> VideoStream:
    orientation = geometry.orientation_of(first)
    shape = geometry.pixel_shape(stream.sample_aspect_ratio)
    across, down = geometry.display_size(first.width, first.height, shape, orientation)
    hue = colour.colour_of(first)
    said = _said(first)
    return VideoStream(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        profile=stream.profile,
        width=first.width,
        height=first.height,
        display_width=across,
        display_height=down,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=f"{shape.numerator}:{shape.denominator}",
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        frame_rate=float(_rate(stream, surveyed)),
        variable_frame_rate=surveyed.varies,
        frames=surveyed.count if surveyed.count is not None else (stream.frames or None),
        start_time=float(surveyed.start * surveyed.base),
        duration=float(surveyed.seconds),
        bit_rate=stream.bit_rate or None,
        hdr=hue.hdr,
        interlaced=interlaced,
        keyframe_interval=surveyed.key_interval,
        **said,
    )


def _said(first: VideoFrame) -> dict[str, str | None]:
    """Colours as the file says them; None where it is silent."""
    return {
        "color_range": colour.RANGES.get(first.color_range),
        "color_primaries": colour.PRIMARIES.get(first.color_primaries),
        "color_transfer": colour.TRANSFERS.get(first.color_trc),
        "color_space": colour.MATRICES.get(first.colorspace),
    }


def _rate(stream: SourceVideo, surveyed: Survey) -> Fraction:
    """Average frames a second: counted where all was read, else the header's, else that of the beginning."""
    if surveyed.count is not None and surveyed.count > 1 and surveyed.seconds > 0:
        counted = surveyed.count / surveyed.seconds
        header = stream.average_rate
        # The header's is the round number, where it is right.
        return header if header and abs(header - counted) < counted / 100 else counted
    return stream.average_rate or surveyed.rate or stream.guessed_rate or UNSAID_RATE


def _audio(stream: SourceAudio) -> AudioStream:
    # The stubs promise a codec context; a stream of an unknown codec has none.
    context = stream.codec_context
    known = context is not None
    return AudioStream(
        index=stream.index,
        codec=context.codec.canonical_name if known else "unknown",
        profile=stream.profile,
        sample_rate=context.sample_rate if known else 0,
        channels=context.channels if known else 0,
        layout=context.layout.name if known else None,
        language=stream.language,
        start_time=float(opening.start_of(stream) or 0),
        duration=float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None,
        bit_rate=(stream.bit_rate or None) if known else None,
    )


def _warnings(
    container: InputContainer, video: VideoStream, duration: Fraction, first: VideoFrame
) -> Iterator[Warning]:
    if video.variable_frame_rate:
        yield Warning(
            code="probe.variable_frame_rate", message="Frames come at varying intervals; they keep their times."
        )
    declared = Fraction(container.duration, 1_000_000) if container.duration is not None else None
    if declared is not None and abs(declared - duration) > max(SLACK, duration / 20):
        message = f"The header says {float(declared):.3f} s, the picture ends at {float(duration):.3f} s."
        yield Warning(code="probe.duration_differs", message=message)
    if not geometry.orientation_of(first).exact:
        yield Warning(code="probe.oblique_rotation", message="The picture is turned by no right angle; it is rounded.")
    if video.interlaced:
        yield Warning(code="probe.interlaced", message="The picture is interlaced; it is made progressive.")
    if video.hdr:
        yield Warning(code="probe.hdr", message=f"The picture is HDR ({video.hdr}); the result is standard range.")
    if len(container.streams.audio) > 1:
        yield Warning(code="probe.several_sounds", message="The file has several sounds; the first one is kept.")
