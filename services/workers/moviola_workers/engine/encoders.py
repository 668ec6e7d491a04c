"""The encoders behind the codecs that a recipe may choose: their names, their options, and how many threads they take.

All of them work at a constant quality. What a preset of x264's means for the others is written here.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moviola.output import AudioCodec, Container, Output, Preset, VideoCodec

# A file's index lies in front, so that playing starts before all is loaded; written by a second pass over the file.
MUXERS: Mapping[Container, Mapping[str, str]] = {"mp4": {"movflags": "+faststart"}, "webm": {"cues_to_front": "1"}}

# Renditions of HLS: a fragment begins at every key frame of the picture; of the sound, where all are, twice a second.
# Edit lists, which say where the encoders' run-in ends, are known when the first packets are (`delay_moov`).
_FRAGMENTS = "+empty_moov+delay_moov+default_base_moof+skip_trailer"
PICTURE_RENDITION: Mapping[str, str] = {"movflags": f"{_FRAGMENTS}+frag_keyframe"}
SOUND_RENDITION: Mapping[str, str] = {"movflags": _FRAGMENTS, "frag_duration": "500000"}
# Further apart than key frames that were asked for ever are: the encoder adds none of its own.
NEVER = 1_000_000

# SVT-AV1 counts presets from 13 (fast) down to 0. From 10 on it was seen to show the mean of two flat pictures in the
# place of either, at any quality (4.1, a slide show of grey areas), so 9 is the fastest here. libvpx has a speed from 0
# (slow) to 8, of which those from 6 on are for its "realtime" deadline only.
SVT_PRESETS: Mapping[Preset, int] = {
    "ultrafast": 9, "superfast": 9, "veryfast": 9, "faster": 9, "fast": 8, "medium": 7, "slow": 5, "slower": 4,
    "veryslow": 2,
}  # fmt: skip
VPX_SPEEDS: Mapping[Preset, int] = {
    "ultrafast": 8, "superfast": 7, "veryfast": 5, "faster": 4, "fast": 3, "medium": 2, "slow": 1, "slower": 1,
    "veryslow": 0,
}  # fmt: skip
VPX_REALTIME = 6
# SVT-AV1 sets up its memory by its level of parallelism: 4K at level 4 takes 5 GB of addresses, 8K at level 1 takes 4.
SVT_MOST, SVT_MOST_PIXELS = 4, 4096 * 2304


@dataclass(frozen=True, slots=True)
class Work:
    """What an encoder is to do; ``threads`` 0: as many as fit. ``on_grid``: key frames are those asked for."""

    output: Output
    width: int
    height: int
    threads: int
    on_grid: bool = False


@dataclass(frozen=True, slots=True)
class PictureCodec:
    """``tag`` is the name by which players know the codec where there are two (Apple's play ``hvc1`` only)."""

    encoder: str
    options: Callable[[Work], dict[str, str]]
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class SoundCodec:
    """Rates in Hz that are kept as they are; every other becomes 48000. ``form`` is the encoder's sample format."""

    encoder: str
    form: str
    rates: frozenset[int]
    bit_rates: Mapping[str, int]


def _x264(work: Work) -> dict[str, str]:
    grid = {"forced-idr": "1", "x264-params": f"keyint=infinite:min-keyint={NEVER}"} if work.on_grid else {}
    return {"preset": work.output.preset, "crf": str(work.output.quality), **grid}


def _x265(work: Work) -> dict[str, str]:
    # Its pool of threads is not FFmpeg's to count; closed groups of pictures can be sought to and cut at.
    own = {"log-level": "error", "open-gop": "0"} | ({"pools": str(work.threads)} if work.threads else {})
    own |= {"keyint": "-1", "min-keyint": str(NEVER)} if work.on_grid else {}
    params = ":".join(f"{name}={value}" for name, value in own.items())
    grid = {"forced-idr": "1"} if work.on_grid else {}
    return {"preset": work.output.preset, "crf": str(work.output.quality), "x265-params": params, **grid}


def _svt(work: Work) -> dict[str, str]:
    most = SVT_MOST if work.width * work.height <= SVT_MOST_PIXELS else 1
    level = min(work.threads or os.cpu_count() or 1, most)
    return {
        "preset": str(SVT_PRESETS[work.output.preset]),
        "crf": str(work.output.quality),
        "svtav1-params": f"lp={level}" + (":keyint=-1:enable-force-key-frames=1" if work.on_grid else ""),
    }


def _vpx(work: Work) -> dict[str, str]:
    speed = VPX_SPEEDS[work.output.preset]
    deadline = "realtime" if speed >= VPX_REALTIME else "good"
    # Without a bit rate of 0 the quality would only be a bound on what the bit rate leaves.
    return {"crf": str(work.output.quality), "b": "0", "deadline": deadline, "cpu-used": str(speed), "row-mt": "1"}


PICTURES: Mapping[VideoCodec, PictureCodec] = {
    "h264": PictureCodec("libx264", _x264),
    "hevc": PictureCodec("libx265", _x265, tag="hvc1"),
    "av1": PictureCodec("libsvtav1", _svt),
    "vp9": PictureCodec("libvpx-vp9", _vpx),
}
SOUNDS: Mapping[AudioCodec, SoundCodec] = {
    "aac": SoundCodec(
        "aac",
        "fltp",
        frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}),
        {"mono": 128_000, "stereo": 160_000, "5.1": 384_000},
    ),
    "opus": SoundCodec(
        "libopus",
        "flt",
        frozenset({48000, 24000, 16000, 12000, 8000}),
        {"mono": 64_000, "stereo": 128_000, "5.1": 256_000},
    ),
}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
USUAL_RATE = 48000


def split_threads(threads: int, sizes: Sequence[tuple[int, int]], codec: VideoCodec) -> list[int]:
    """Threads for encoders that work side by side, by their pictures' sizes; one encoder alone takes them all.

    None gets less than two where there are as many: an encoder of one thread works in the thread that feeds all of
    them. What SVT-AV1 sets up grows with its threads, so that all of those together get as many as one alone.
    """
    if len(sizes) < 2:
        return [threads] * len(sizes)
    total = threads or os.cpu_count() or 1
    whole = sum(width * height for width, height in sizes)
    shares = [max(min(2, total), round(total * width * height / whole)) for width, height in sizes]
    most = max(1, SVT_MOST // len(sizes)) if codec == "av1" else total
    return [min(share, most) for share in shares]


def sound_form(codec: AudioCodec, rate: int, channels: int, wanted: int | None = None) -> tuple[int, str]:
    """Rate and layout in which a source's sound is encoded; mixed down to ``wanted`` channels where it has more."""
    kept = min(channels, wanted) if wanted is not None else channels
    return rate if rate in SOUNDS[codec].rates else USUAL_RATE, LAYOUTS.get(kept, "stereo")
