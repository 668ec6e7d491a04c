"""The facts of a file as lines for a person: a name and what there is to say."""

from collections.abc import Iterator

from moviola.probe import AudioStream, OtherStream, Probe, VideoStream

UNSAID = "und"


def facts_lines(facts: Probe) -> Iterator[tuple[str, str]]:
    """The file, its picture, its sounds, its other streams, and what is unusual."""
    yield "source", ", ".join(_file(facts))
    yield "video", ", ".join(_video(facts.video))
    yield "frames", ", ".join(_frames(facts.video))
    yield "colour", ", ".join(_colour(facts.video))
    for audio in facts.audio:
        yield "audio", ", ".join(_audio(audio))
    for other in facts.others:
        yield other.kind, ", ".join(filter(None, _other(other)))
    if facts.sound_offset is not None:
        yield "offset", f"the sound begins {facts.sound_offset:+.3f} s from the picture"
    if facts.loudness is not None:
        yield "loudness", _loudness(facts)
    for warning in facts.warnings:
        yield "warning", f"{warning.code}: {warning.message}"


def _file(facts: Probe) -> Iterator[str]:
    yield facts.container_name or facts.container
    yield f"{facts.duration:.3f} s"
    yield f"{facts.size} bytes"
    if facts.bit_rate:
        yield _rate(facts.bit_rate)
    if facts.chapters:
        yield f"{facts.chapters} chapters"
    if facts.fast_start is not None:
        yield "fast start" if facts.fast_start else "no fast start"


def _video(video: VideoStream) -> Iterator[str]:
    yield f"#{video.index}"
    yield " ".join(filter(None, (video.codec, video.profile, video.level)))
    yield f"{video.width}×{video.height}"
    if (video.display_width, video.display_height) != (video.width, video.height):
        yield f"shown as {video.display_width}×{video.display_height}"
    if video.display_aspect_ratio:
        yield video.display_aspect_ratio
    if video.sample_aspect_ratio != "1:1":
        yield f"pixels {video.sample_aspect_ratio}"
    if video.rotation:
        yield f"turned by {video.rotation}°"
    if video.mirrored:
        yield "mirrored"
    if video.bit_rate:
        yield _rate(video.bit_rate)


def _frames(video: VideoStream) -> Iterator[str]:
    if video.frames is not None:
        yield f"{video.frames}"
    if video.variable_frame_rate and video.frame_rate_min and video.frame_rate_max:
        yield f"{video.frame_rate_min:.2f} to {video.frame_rate_max:.2f} a second, {video.frame_rate:.3f} on average"
    else:
        varies = "varying around " if video.variable_frame_rate else ""
        yield f"{varies}{video.frame_rate:.3f} a second"
    yield video.field_order or ("interlaced" if video.interlaced else "progressive")
    if video.gop_longest:
        average = f", {video.gop_average:g} on average" if video.gop_average else ""
        yield f"key frame every {video.gop_longest} at most{average}"
    if video.open_gops is not None:
        yield "open GOPs" if video.open_gops else "closed GOPs"
    if video.b_frames is not None:
        yield "B-frames" if video.b_frames else "no B-frames"


def _colour(video: VideoStream) -> Iterator[str]:
    yield f"{video.pixel_format} ({', '.join(filter(None, (video.chroma, f'{video.bit_depth} bits')))})"
    for name, value in (
        ("range", video.color_range),
        ("primaries", video.color_primaries),
        ("transfer", video.color_transfer),
        ("matrix", video.color_space),
    ):
        if value:
            yield f"{name} {value}"
    if video.hdr_format or video.hdr:
        yield f"{video.hdr_format or video.hdr}"


def _audio(audio: AudioStream) -> Iterator[str]:
    yield f"#{audio.index}"
    yield " ".join(filter(None, (audio.codec, audio.profile)))
    yield f"{audio.sample_rate} Hz"
    yield audio.layout or f"{audio.channels} channels"
    if audio.language and audio.language != UNSAID:
        yield audio.language
    yield f"from {audio.start_time:.3f} s"
    if audio.duration is not None:
        yield f"{audio.duration:.3f} s"
    if audio.bit_rate:
        yield _rate(audio.bit_rate)


def _other(other: OtherStream) -> Iterator[str | None]:
    yield f"#{other.index}"
    yield other.codec
    yield other.language if other.language != UNSAID else None
    yield other.title


def _loudness(facts: Probe) -> str:
    heard = facts.loudness
    if heard is None or heard.integrated is None:
        return "silent"
    peak = f", true peak {heard.true_peak:.1f} dBTP" if heard.true_peak is not None else ""
    spread = f", range {heard.range:.1f} LU" if heard.range is not None else ""
    return f"{heard.integrated:.1f} LUFS{peak}{spread}"


def _rate(bits: int) -> str:
    return f"{bits / 1000:.0f} kbit/s"
