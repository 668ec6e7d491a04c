"""What the quality gate may expect of a plan's result, as far as the facts of the source tell it. Pure."""

import math
from collections.abc import Sequence

from moviola.plan import RESULTS, Edit, Pass, Poster, Span
from moviola.probe import AudioStream, Probe
from moviola.quality import ExpectedImage, ExpectedPicture, ExpectedSound, ExpectedVideo, Verify
from moviola.stills import fit_inside

# Sound that starts this much before the picture is content, and then the file's second 0 is its start.
EARLY_SOUND = 0.25
# Packets of sound that end this long before second 0 are left behind; what is left of them starts about here.
RUN_IN = 0.05
ENCODED_PIXELS = "yuv420p"
# A rate that is not in the codec's list becomes this one.
USUAL_RATE = 48000
# Of higher rates than the published limit pictures are left out; how many is not told beforehand.
COUNTED_RATE = 240.0


def verification_of(passes: Sequence[Pass], probe: Probe) -> Verify | None:
    """What to hold the result of *passes* against; None where no video is made."""
    edits = [(one, one.parameters) for one in passes if isinstance(one.parameters, Edit)]
    if not edits:
        return None
    last = edits[-1][1]
    video = ExpectedVideo(
        name=RESULTS[last.output.container],
        container=last.output.container,
        duration=last.duration,
        picture=_picture(edits, probe),
        sound=_sound(edits, probe),
    )
    images = [_image(one, one.parameters, last) for one in passes if isinstance(one.parameters, Poster)]
    return Verify(videos=(video,), images=tuple(images), every_frame=last.output.verify == "full")


def _image(one: Pass, poster: Poster, edit: Edit) -> ExpectedImage:
    width, height = fit_inside(edit.width, edit.height, poster.width, poster.height)
    return ExpectedImage(name=one.files[0], resource=one.name, width=width, height=height)


def _picture(edits: Sequence[tuple[Pass, Edit]], probe: Probe) -> ExpectedPicture:
    last, source = edits[-1][1], probe.video
    copied = all(edit.copy_packets or edit.smart_cut for _, edit in edits)
    return ExpectedPicture(
        codec=last.output.video_codec,
        width=last.width,
        height=last.height,
        pixel_formats=(ENCODED_PIXELS, *([source.pixel_format] if copied else [])),
        copied=copied,
        starts=_picture_starts([edit for _, edit in edits], probe),
        frames=_frames([edit for _, edit in edits], probe),
        longest_gap=_longest_gap(probe),
    )


def _origin(probe: Probe) -> float:
    """Second 0 of the file, on its own clock."""
    picture, heard = probe.video.start_time, _heard(probe)
    return heard.start_time if heard is not None and heard.start_time < picture - EARLY_SOUND else picture


def _heard(probe: Probe) -> AudioStream | None:
    """The sound that is kept: the first one that can be decoded."""
    return next((one for one in probe.audio if one.sample_rate > 0), None)


def _picture_starts(edits: Sequence[Edit], probe: Probe) -> float | None:
    if any(edit.spans is not None for edit in edits):
        return 0.0
    late = probe.video.start_time - _origin(probe)
    # Between passes the sound may be dropped, and second 0 moves with it.
    return late if len(edits) == 1 or not late else None


def _longest_gap(probe: Probe) -> float | None:
    gap = probe.video.longest_gap
    return gap if gap is None or probe.video.frame_rate <= COUNTED_RATE else gap + 1 / COUNTED_RATE


def _frames(edits: Sequence[Edit], probe: Probe) -> tuple[int, int] | None:
    """The fewest and the most pictures; one that stands still comes again while a mark changes on it."""
    video = probe.video
    repeats = any(edit.picture for edit in edits) and (video.longest_gap is None or video.longest_gap > 0.1)
    trims = [edit.spans for edit in edits if edit.spans is not None]
    if repeats or video.frame_rate > COUNTED_RATE:
        return None
    if not trims:
        return (video.frames, video.frames) if video.frames_counted and video.frames is not None else None
    if len(trims) > 1 or video.variable_frame_rate:
        return None
    return _frames_in(trims[0], video.frame_rate, probe.duration)


def _frames_in(spans: Sequence[Span], rate: float, duration: float) -> tuple[int, int]:
    """A picture more or less at each border, since it is not known where they lie between two of them."""
    counts = [(min(span.end, duration) - span.start) * rate for span in spans]
    return max(1, sum(math.floor(count) - 1 for count in counts)), sum(math.ceil(count) + 1 for count in counts)


def _sound(edits: Sequence[tuple[Pass, Edit]], probe: Probe) -> ExpectedSound | None:
    source = _heard(probe)
    if source is None or any(edit.mute for _, edit in edits):
        return None
    last = edits[-1][1]
    copied = all(one.sound == "copied" for one, _ in edits)
    spans = [edit.spans for _, edit in edits if edit.spans is not None]
    starts = max(source.start_time - _origin(probe), -RUN_IN) if copied else 0.0
    return ExpectedSound(
        codec=last.output.audio_codec,
        channels=_channels([edit for _, edit in edits], source, copied=copied),
        sample_rates=(source.sample_rate, USUAL_RATE),
        copied=copied,
        starts=starts,
        ends=_sound_ends(spans, source, probe, last.duration),
        cut=bool(spans),
    )


def _channels(edits: Sequence[Edit], source: AudioStream, *, copied: bool) -> int | None:
    if copied:
        return source.channels
    wanted = [edit.sound.channels for edit in edits if edit.sound and edit.sound.channels]
    left = min([source.channels, *wanted])
    return left if left in (1, 2, 6) else 2


def _sound_ends(spans: Sequence[tuple[Span, ...]], source: AudioStream, probe: Probe, duration: float) -> float | None:
    if source.duration is None:
        return None
    end = source.start_time + source.duration - _origin(probe)
    if not spans:
        return end
    # Where the source's sound reaches beyond the last part that is kept, the result's ends with its picture.
    return duration if len(spans) == 1 and end >= max(span.end for span in spans[0]) else None
