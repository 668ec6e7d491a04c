"""Hold what was found of a result against what was expected of it: pure, one check after the other.

Two tolerances: within the tight one all is well; beyond the wide one the result is bad. Between them it is a warning,
since a source whose packets are broken here and there is processed all the same, and what was lost shows here. What
was copied is the source's own: there, irregular times are a warning too. Docs: ``docs/quality.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from moviola.quality import Check, ExpectedPicture, ExpectedSound, ExpectedVideo, Level
from moviola_workers.engine.decoding_samples import Decoded
from moviola_workers.engine.packet_times import PacketTimes

# Seconds. A webm counts milliseconds, and a packet of sound is up to 43 ms long.
TICK = 0.002
SOUND_START = 0.05
COPIED_SOUND_START = 0.15
SOUND_END = 0.15
PICTURE_START = 0.05
LEAST_DURATION_SLACK = 0.1
# What the engine lives with in a damaged source (see ``reading``), and half a second besides.
LOST_SHARE = 0.1
LOST_FRAMES = 8
LOST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """One stream of the result, or what is known of it."""

    codec: str
    times: PacketTimes
    decoded: Decoded
    sample_rate: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The result as it is. ``others``: streams that are neither picture nor sound."""

    container: str
    index_leads: bool
    pictures: tuple[Seen, ...]
    sounds: tuple[Seen, ...]
    others: int = 0


class Gauge:
    """Makes the checks of one file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def check(self, name: str, ok: bool, expected: object, found: object, *, level: Level = "error") -> Check:
        return Check(name=name, ok=ok, level=level, expected=str(expected), found=str(found), file=self._file)

    def within(self, name: str, expected: float, found: float, *, tight: float, wide: float) -> Check:
        """Seconds."""
        off = abs(found - expected)
        level: Level = "warning" if tight < off <= wide else "error"
        return self.check(name, off <= tight, f"{expected:.3f} s ± {tight:.3f} s", f"{found:.3f} s", level=level)


def gauge(expected: ExpectedVideo, found: Found, *, every_frame: bool) -> Iterator[Check]:
    """All checks of a result, the failed ones too."""
    to = Gauge(expected.name)
    yield to.check("container", found.container == expected.container, expected.container, found.container)
    lead = "index in front"
    yield to.check("fast_start", found.index_leads, lead, lead if found.index_leads else "index behind or missing")
    wanted = (1, 0 if expected.sound is None else 1, 0)
    there = (len(found.pictures), len(found.sounds), found.others)
    yield to.check("streams", there == wanted, _streams(wanted), _streams(there))
    if found.pictures:
        yield from _picture(to, expected, expected.picture, found.pictures[0], every_frame=every_frame)
    if expected.sound is not None and found.sounds and found.pictures:
        yield from _sound(to, expected.sound, found.sounds[0], found.pictures[0], every_frame=every_frame)


def _streams(counts: tuple[int, int, int]) -> str:
    return "{} picture, {} sound, {} others".format(*counts)


def _picture(
    to: Gauge, video: ExpectedVideo, expected: ExpectedPicture, found: Seen, *, every_frame: bool
) -> Iterator[Check]:
    times, decoded = found.times, found.decoded
    yield to.check("video_codec", found.codec == expected.codec, expected.codec, found.codec)
    yield _size(to, expected, decoded)
    formats = " or ".join(dict.fromkeys(expected.pixel_formats))
    fits = decoded.formats <= set(expected.pixel_formats)
    yield to.check("pixel_format", fits, formats, ", ".join(sorted(decoded.formats)) or "none")
    level: Level = "warning" if expected.copied else "error"
    yield _order(to, "video_times", times, level)
    yield _pace(to, expected, times)
    if expected.starts is not None:
        wide = PICTURE_START + LOST_SECONDS
        yield to.within("video_start", expected.starts, times.start, tight=PICTURE_START, wide=wide)
    yield _duration(to, video, times)
    if expected.frames is not None:
        yield _frames(to, expected.frames, times.count)
    yield _decoding(to, "video_decodes", found, level, every_frame=every_frame)


def _size(to: Gauge, expected: ExpectedPicture, decoded: Decoded) -> Check:
    # A copied picture with pixels of its own shape is rounded to whole pixels once more.
    slack = 1 if expected.copied else 0
    fits = all(
        abs(width - expected.width) <= slack and abs(height - expected.height) <= slack
        for width, height in decoded.sizes
    )
    found = ", ".join(f"{width}×{height}" for width, height in sorted(decoded.sizes))
    return to.check("picture_size", fits, f"{expected.width}×{expected.height}", found or "none")


def _order(to: Gauge, name: str, times: PacketTimes, level: Level) -> Check:
    wrong = {
        "without a time": times.untimed,
        "not decoded later than the one before": times.unordered,
        "shown before they are decoded": times.early,
        "shown at the same time as another": times.doubled,
    }
    found = ", ".join(f"{count} {what}" for what, count in wrong.items() if count)
    return to.check(name, not found, "every packet in order", found or "every packet in order", level=level)


def _pace(to: Gauge, expected: ExpectedPicture, times: PacketTimes) -> Check:
    """No hole between pictures that the source does not have."""
    gap = times.longest_gap
    if expected.longest_gap is None:
        return to.check("video_gaps", True, "not known", f"{gap:.3f} s at most", level="warning")
    most = max(expected.longest_gap * 1.5, expected.longest_gap + TICK)
    level: Level = "warning" if gap <= most + LOST_SECONDS + LOST_SHARE * times.end else "error"
    return to.check("video_gaps", gap <= most, f"{expected.longest_gap:.3f} s at most", f"{gap:.3f} s", level=level)


def _duration(to: Gauge, video: ExpectedVideo, times: PacketTimes) -> Check:
    gap = video.picture.longest_gap
    # Where a picture may stand still for longer than was seen, the last one may too.
    tight = max(LEAST_DURATION_SLACK, 1.5 * gap) if gap is not None else 1.0
    wide = tight + LOST_SECONDS + LOST_SHARE * video.duration
    return to.within("duration", video.duration, times.end, tight=tight, wide=wide)


def _frames(to: Gauge, expected: tuple[int, int], count: int) -> Check:
    least, most = expected
    lost = least - count
    level: Level = "warning" if 0 < lost <= LOST_FRAMES + LOST_SHARE * least else "error"
    said = f"{least}" if least == most else f"{least} to {most}"
    return to.check("frame_count", least <= count <= most, said, count, level=level)


def _decoding(to: Gauge, name: str, found: Seen, level: Level, *, every_frame: bool) -> Check:
    decoded = found.decoded
    all_there = not every_frame or decoded.frames == found.times.count
    ok = not decoded.broken and not decoded.silent_places and all_there
    what = f"all {found.times.count}" if every_frame else f"something at {decoded.places} places"
    said = f"{decoded.frames} decoded, {decoded.broken} broken, nothing at {decoded.silent_places} places"
    # Nothing at all is no oddity of a source.
    return to.check(name, ok, what, said, level=level if decoded.frames else "error")


def _sound(to: Gauge, expected: ExpectedSound, found: Seen, picture: Seen, *, every_frame: bool) -> Iterator[Check]:
    times = found.times
    level: Level = "warning" if expected.copied else "error"
    yield to.check("audio_codec", found.codec == expected.codec, expected.codec, found.codec)
    if expected.channels is not None:
        channels = ", ".join(map(str, sorted(found.decoded.channels))) or "none"
        fits = found.decoded.channels <= {expected.channels}
        yield to.check("audio_channels", fits, expected.channels, channels, level=level)
    rates = " or ".join(map(str, dict.fromkeys(expected.sample_rates)))
    yield to.check("audio_rate", found.sample_rate in expected.sample_rates, rates, found.sample_rate, level=level)
    yield _order(to, "audio_times", times, level)
    joint = times.worst_joint
    longest = max(times.lasts, default=0) * float(times.base)
    yield to.check(
        "audio_gaps", abs(joint) <= longest + TICK, f"{longest:.3f} s at most", f"{joint:.3f} s", level=level
    )
    yield from _together(to, expected, times, picture.times)
    # Where every frame was asked for: the first packets of sound only fill the decoder.
    yield _decoding(to, "audio_decodes", found, level, every_frame=False)
    heard = found.decoded.audible
    yield to.check("audio_level", heard, "something to hear", "something" if heard else "silence", level="warning")


def _together(to: Gauge, expected: ExpectedSound, times: PacketTimes, picture: PacketTimes) -> Iterator[Check]:
    """Sound and picture begin, and end, as far apart as they should."""
    if expected.starts is not None:
        tight = COPIED_SOUND_START if expected.copied else SOUND_START
        yield to.within("audio_start", expected.starts, times.start, tight=tight, wide=tight)
    lag = times.end - picture.end
    if expected.cut:
        fits = lag <= SOUND_END
        yield to.check("audio_overhang", fits, f"{SOUND_END:.3f} s at most", f"{lag:.3f} s")
    if expected.ends is not None:
        wide = SOUND_END + LOST_SECONDS + LOST_SHARE * picture.end
        yield to.within("audio_end", expected.ends, times.end, tight=SOUND_END, wide=wide)
