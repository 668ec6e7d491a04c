"""The facts of a file, as truthfully as its packets and its first picture tell them."""

from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream as SourceAudio
from av.container.input import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as SourceVideo

from moviola.messages import Limits
from moviola.probe import AudioStream, OtherStream, Probe, VideoStream
from moviola_workers.engine import colour, description, geometry, opening, packets
from moviola_workers.engine.cut_survey import CutSurvey
from moviola_workers.engine.failures import refused, translated
from moviola_workers.engine.file_order import index_leads
from moviola_workers.engine.oddities import Signs, has_index, oddities
from moviola_workers.engine.packets import Survey
from moviola_workers.engine.reading import PictureReader
from moviola_workers.engine.sound_survey import SoundTally, tallies_of

UNSAID_RATE = Fraction(25)
# Containers that have an index in one place.
INDEXED = ("mov,", "matroska")
LONGEST_TITLE = 200


def read_facts(path: Path, limits: Limits) -> Probe:
    """What comes back has a picture that decodes and keeps the limits; else ``TaskFailure`` with a published code."""
    with translated("reading the file's facts"), opening.opened(path, limits) as container:
        video = opening.main_video(container, limits)
        cut = CutSurvey(video, limits)
        sounds = tallies_of(container.streams.audio)
        indexed = has_index(container, path)
        surveyed = packets.survey(container, video, limits, cut.take, sounds)
        if surveyed.encrypted:
            raise refused("media.encrypted", "The video is encrypted.")
        # After the packets, since encrypted pictures look like broken ones.
        first, interlaced = _first_picture(path, limits)
        origin = opening.origin_of(path, limits)
        lag = (first.pts or 0) - surveyed.start if surveyed.untimed else 0
        duration = (surveyed.end + lag) * surveyed.base - origin
        _check_length(duration, limits)
        about = _video(video, first, surveyed, interlaced=interlaced)
        cutting = cut.facts(origin, surveyed.base, complete=surveyed.count is not None)
        audio = tuple(_audio(stream, sounds[stream.index], surveyed) for stream in container.streams.audio)
        facts = _probe(path, container, about.model_copy(update={"cut": cutting}), audio, duration)
        exact = geometry.orientation_of(first).exact
        signs = Signs(indexed, exact_rotation=exact, hidden=surveyed.hidden, corrupt=surveyed.corrupt)
        return facts.model_copy(update={"warnings": tuple(oddities(container, facts, signs, limits))})


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


def _probe(
    path: Path, container: InputContainer, video: VideoStream, audio: tuple[AudioStream, ...], duration: Fraction
) -> Probe:
    size = path.stat().st_size
    heard = next((one for one in audio if one.sample_rate > 0), None)
    return Probe(
        container=container.format.name,
        container_name=container.format.long_name,
        size=size,
        duration=float(max(duration, Fraction(0))),
        bit_rate=round(size * 8 / duration) if duration > 0 else None,
        video=video,
        audio=audio,
        others=tuple(_other(stream) for stream in container.streams if _is_other(stream, video)),
        subtitles=len(container.streams.subtitles),
        chapters=len(container.chapters()),
        sound_offset=round(heard.start_time - video.start_time, 6) if heard is not None else None,
        fast_start=index_leads(path) if container.format.name.startswith(INDEXED) else None,
    )


def _is_other(stream: Stream, video: VideoStream) -> bool:
    return stream.type != "audio" and stream.index != video.index


def _other(stream: Stream) -> OtherStream:
    # The stubs promise a codec context; a stream of an unknown codec has none.
    context = stream.codec_context
    cover = stream.type == "video" and bool(stream.disposition & opening.NOT_THE_PICTURE)
    return OtherStream(
        index=stream.index,
        kind="cover" if cover else stream.type,
        codec=context.codec.canonical_name if context is not None else None,
        language=stream.language,
        title=stream.metadata.get("title", "")[:LONGEST_TITLE] or None,
    )


def _video(stream: SourceVideo, first: VideoFrame, surveyed: Survey, *, interlaced: bool) -> VideoStream:
    orientation = geometry.orientation_of(first)
    shape = geometry.pixel_shape(stream.sample_aspect_ratio)
    across, down = geometry.display_size(first.width, first.height, shape, orientation)
    hue = colour.colour_of(first)
    said = _said(first)
    codec = stream.codec_context.codec.canonical_name
    return VideoStream(
        index=stream.index,
        codec=codec,
        profile=stream.profile,
        level=description.level(codec, stream.codec_context.level),
        width=first.width,
        height=first.height,
        display_width=across,
        display_height=down,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=f"{shape.numerator}:{shape.denominator}",
        display_aspect_ratio=description.ratio(across, down),
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        chroma=description.chroma(first.format),
        frame_rate=float(_rate(stream, surveyed)),
        frame_rate_min=1 / surveyed.longest_gap if surveyed.longest_gap else None,
        frame_rate_max=1 / surveyed.shortest_gap if surveyed.shortest_gap else None,
        variable_frame_rate=surveyed.varies,
        frames=surveyed.count if surveyed.count is not None else (stream.frames or None),
        frames_counted=surveyed.count is not None,
        longest_gap=surveyed.longest_gap,
        start_time=float(surveyed.start * surveyed.base),
        duration=float(surveyed.seconds),
        bit_rate=_bit_rate(surveyed) or stream.bit_rate or None,
        hdr=hue.hdr,
        hdr_format=description.hdr_format(first, hue.hdr),
        interlaced=interlaced,
        field_order=description.FIELD_ORDERS.get(stream.codec_context.field_order),
        keyframe_interval=surveyed.key_interval,
        gop_average=surveyed.gops.average,
        gop_longest=surveyed.gops.longest or None,
        open_gops=surveyed.gops.open,
        b_frames=surveyed.gops.reordered,
        **said,
    )


def _bit_rate(surveyed: Survey) -> int | None:
    if surveyed.count is None or not surveyed.seconds:
        return None
    return round(surveyed.bytes * 8 / surveyed.seconds)


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


def _audio(stream: SourceAudio, tally: SoundTally, surveyed: Survey) -> AudioStream:
    # The stubs promise a codec context; a stream of an unknown codec has none.
    context = stream.codec_context
    known = context is not None
    declared = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    whole = surveyed.count is not None
    return AudioStream(
        index=stream.index,
        codec=context.codec.canonical_name if known else "unknown",
        profile=stream.profile,
        sample_rate=context.sample_rate if known else 0,
        channels=context.channels if known else 0,
        layout=context.layout.name if known else None,
        language=stream.language,
        start_time=float(opening.start_of(stream) or 0),
        duration=(tally.seconds if whole else None) or declared,
        default=bool(stream.disposition & Disposition.default),
        bit_rate=(tally.bit_rate() if whole else None) or ((stream.bit_rate or None) if known else None),
    )
