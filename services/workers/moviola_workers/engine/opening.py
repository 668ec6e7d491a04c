"""The one way to open an input.

Measured: opened as they come, an HLS playlist fetched an address, session descriptions opened a socket, a concat list
opened its neighbours; and a large picture was decoded inside ``open`` itself. Whitelists of demuxers and protocols and
``max_pixels`` stop all of it, provided that they are options of ``open``.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine import index_claims, sniffing, truncation
from moviola_workers.engine.failures import FFmpegError, failure_of, refused
from moviola_workers.engine.nal import BrokenUnits
from moviola_workers.engine.parameter_sets import parameter_sets_of
from moviola_workers.engine.picture_form import form_of

# Files with pictures and sound in one piece; nothing that names other files (hls, concat, sdp, dash, image2).
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "ogg", "asf", "mxf",
    "yuv4mpegpipe", "ivf", "h264", "hevc", "obu", "dv", "rm",
)  # fmt: skip
NOT_THE_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
ENCRYPTED_TAGS = frozenset({"encv", "enca", "drmi", "drms"})
# Sound that starts this much before the picture is content; less is the codecs' run-in.
EARLY_SOUND = Fraction(1, 4)
# The first picture to be shown is among so many packets: H.264 and HEVC reorder 16 at most.
REORDERED = 20
# FFmpeg's AVFMT_FLAG_GENPTS, which PyAV sets: where a packet has no time (H.264 in AVI) it is given that of another
# one, and pictures come late or out of order. Decoders know better.
GUESSED_TIMES = 1
# So many are counted where there are too many.
MOST_STREAMS = 4096


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[InputContainer]:
    """The file, recognised and within the limits on size and streams; closed at the end.

    Raises ``TaskFailure`` with the codes of the published list.
    """
    if path.stat().st_size > limits.max_bytes:
        raise refused("media.too_large", f"The file is larger than {limits.max_bytes} bytes.")
    sniffing.refuse_what_is_no_video(path)
    truncation.refuse_truncated(path)
    index_claims.refuse_absurd_claims(path, limits)
    container = _open(path, limits)
    with container:
        _check_streams(container, limits)
        yield container


def _open(path: Path, limits: Limits) -> InputContainer:
    try:
        # One more than is allowed is enough to see that there are too many; each costs a decoder's memory.
        return _tried(path, limits, max_streams=str(limits.max_streams + 1))
    except (FFmpegError, OSError, MemoryError) as error:
        if _is_unknown(error, path):
            raise refused("media.unrecognized", "This is no video file that Moviola knows.") from error
        if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
            _look_for_too_many_streams(path, limits)
            # So early it is the file that asks for it, and will ask again.
            raise refused("media.corrupt", "The file claims more than there can be.") from error
        raise failure_of(error, "opening the file") from error


def _tried(path: Path, limits: Limits, **more: str) -> InputContainer:
    options = {
        "format_whitelist": ",".join(DEMUXERS),
        "protocol_whitelist": "file",
        "max_pixels": str(limits.max_pixels),
        **more,
    }
    container = av.open(
        str(path.absolute()),
        mode="r",
        options=options,
        timeout=(limits.open_seconds, limits.stall_seconds),
        metadata_errors="replace",
    )
    container.flags &= ~GUESSED_TIMES
    return container


def _look_for_too_many_streams(path: Path, limits: Limits) -> None:
    """FFmpeg says of a stream too many that there is no memory for it; without decoders they can be counted."""
    with (
        suppress(FFmpegError, OSError, MemoryError),
        _tried(path, limits, max_streams=str(MOST_STREAMS), codec_whitelist="none") as container,
    ):
        _check_streams(container, limits)


def _check_streams(container: InputContainer, limits: Limits) -> None:
    if len(container.streams) > limits.max_streams:
        raise refused("media.too_many_streams", f"The file has more than {limits.max_streams} streams.")


def _is_unknown(error: BaseException, path: Path) -> bool:
    """No demuxer on the list claimed it. With a known first word the file is a broken video, not an unknown one."""
    with path.open("rb") as file:
        head = file.read(12)
    known = head[4:8] in truncation.TOP_LEVEL or head.startswith(
        (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"FLV", b"DKIF")
    )
    # A format that was recognized, and that is not on the list, is a wrong argument to FFmpeg.
    return isinstance(error, av.error.InvalidDataError | av.error.ArgumentError) and not known


def main_video(container: InputContainer, limits: Limits) -> VideoStream:
    """The stream that is shown: not a cover picture; the default one, then the largest. Limits on its size are applied.

    Its decoder refuses pictures beyond the limit too, since the header's size may be a lie.
    """
    shown = [stream for stream in container.streams.video if not stream.disposition & NOT_THE_PICTURE]
    if not shown:
        raise refused("media.no_video_stream", "The file has no video stream.")
    usable = [stream for stream in shown if stream.codec_context is not None]
    if any(_tag_of(stream) in ENCRYPTED_TAGS for stream in usable):
        raise refused("media.encrypted", "The video is encrypted.")
    if not usable:
        raise refused("media.unsupported_codec", "The video's codec can't be decoded here.")
    stream = max(usable, key=lambda one: (bool(one.disposition & Disposition.default), one.width * one.height))
    for width, height in ((stream.width, stream.height), *_told_by_parameter_sets(stream)):
        check_size(width, height, limits)
    stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    return stream


def _told_by_parameter_sets(stream: VideoStream) -> Iterator[tuple[int, int]]:
    """What H.264 says itself; FFmpeg believes the container, until it decodes and finds the picture broken."""
    if stream.codec_context.codec.canonical_name == "h264":
        with suppress(BrokenUnits):
            for form in map(form_of, parameter_sets_of(stream.codec_context.extradata).sequences):
                yield form.width, form.height


def check_size(width: int, height: int, limits: Limits) -> None:
    """``media.too_large`` for more pixels or a longer side than is published."""
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        raise refused("media.too_large", f"A picture of {width}×{height} pixels is larger than is allowed.")


def first_audio(container: InputContainer) -> AudioStream | None:
    """The first sound that can be decoded."""
    return next((stream for stream in container.streams.audio if _is_sound(stream)), None)


def _is_sound(stream: AudioStream) -> bool:
    # The stubs promise a codec context; a stream of an unknown codec has none.
    context = stream.codec_context
    return context is not None and context.sample_rate > 0 and _tag_of(stream) not in ENCRYPTED_TAGS


def _tag_of(stream: Stream) -> str:
    """The name by which the container calls the codec; empty where it is a number and no name (AAC in AVI)."""
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return ""


def only(container: InputContainer, wanted: Stream) -> None:
    """Let the demuxer pass over all other streams: their bytes are not even read where the container has an index."""
    for stream in container.streams:
        if stream.index != wanted.index:
            stream.discard = Discard.all


def start_of(stream: Stream) -> Fraction | None:
    """When the stream's first frame is shown, in seconds on the container's own clock."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base


def origin_of(path: Path, limits: Limits) -> Fraction:
    """Second 0 of everything that Moviola says about a file: its first picture, or sound that starts well before it.

    Read from the first packets, since some headers (AVI) say another start than their packets; and where these say
    nothing, from the first picture that comes out of the decoder.
    """
    with opened(path, limits) as container:
        video = main_video(container, limits)
        audio = first_audio(container)
        sound = start_of(audio) if audio is not None else None
        only(container, video)
        packets = list(islice((one for one in container.demux(video) if one.size and not one.is_discard), REORDERED))
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        if len(stamps) < len(packets):
            stamps = _decoded_times(packets) or stamps
        base = video.time_base or Fraction(1)
        picture = min(stamps) * base if stamps else (start_of(video) or Fraction(0))
    return sound if sound is not None and sound < picture - EARLY_SOUND else picture


def _decoded_times(packets: "Sequence[Packet[VideoStream]]") -> list[int]:
    """The first picture's time, as its decoder says it; none where these packets hold no picture."""
    for packet in packets:
        with suppress(FFmpegError):
            for frame in packet.decode():
                position = frame.pts if frame.pts is not None else frame.dts
                return [position] if position is not None else []
    return []
