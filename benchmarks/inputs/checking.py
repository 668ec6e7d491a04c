"""Hold a result against what has to come out; every difference is a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.inputs import peer
from benchmarks.inputs.catalogue import Input
from benchmarks.inputs.peer import Seen
from benchmarks.inputs.wanted import Wanted, wanted

# mp4 keeps the source's ticks; the peer prints microseconds.
SAME_TIME = 0.0011
SOUND = 0.025
SILENT = 99.0
# What the muxers write of themselves, and of the form of a file.
HARMLESS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "handler_name", "vendor_id", "language"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """``pictures`` that came out, the lowest and mean nearness in dB, the sound's worst distance in seconds."""

    pictures: int
    width: int
    height: int
    seconds: float
    lowest: float
    mean: float
    distance: float | None
    sound: str
    faults: tuple[str, ...]


def check(one: Input, source: Path, result: Path, part: tuple[float, float] | None, *, upright: bool = True) -> Verdict:
    """``upright``: a turned picture is turned in the pixels (a copy leaves it to the header)."""
    before, after = peer.seen(source), peer.seen(result)
    expected = wanted(before, one, part)
    near = peer.nearness(result, source, _chain(one, before, expected))
    distances = _distances(after, expected, one)
    faults = (
        *_about_times(after, expected, cut=part is not None),
        *_about_pictures(after, expected, near, one, upright=upright),
        *_about_sound(before, after, expected, distances, real=one.real),
        *_about_tags(after),
    )
    return Verdict(
        pictures=len(after.pictures),
        width=after.pictures[0].width,
        height=after.pictures[0].height,
        seconds=after.ends,
        lowest=min(near, default=0.0),
        mean=mean(near) if near else 0.0,
        distance=max(distances, default=None) if after.audio else None,
        sound=_sound(after),
        faults=faults,
    )


def _distances(after: Seen, expected: Wanted, one: Input) -> list[float]:
    """Of each beep from where it has to be; a real sound has more of them, of which the nearest is taken."""
    if one.real:
        return [min((abs(beep - near) for near in after.beeps), default=SILENT) for beep in expected.beeps]
    return [abs(a - b) for a, b in zip(after.beeps, expected.beeps, strict=False)]


def _chain(one: Input, source: Seen, expected: Wanted) -> str:
    """The peer's own way from the source to what is wanted."""
    first, last = expected.numbers[0], expected.numbers[-1]
    steps = [f"select='between(n,{first},{last})'"]
    if one.most is not None:
        # Of the pictures in one slot of the limit's grid, the first.
        slot = f"floor((t-{source.pictures[first].at})*{one.most}+0.001)"
        steps.append(f"select='if(eq(n,0)+gt(st(1,{slot}),ld(0)),st(0,ld(1))*0+1,0)'")
    if one.fields:
        steps.append("bwdif=mode=send_frame:deint=interlaced")
    if one.hdr is not None:
        steps += ["zscale=t=linear:npl=203", "format=gbrpf32le", "zscale=p=bt709", f"tonemap={one.hdr}"]
        steps.append("zscale=t=bt709:m=bt709:r=tv")
    matrix = (
        ":out_color_matrix=bt709" if source.video.get("pix_fmt", "").startswith(("gbr", "rgb", "argb", "bgr")) else ""
    )
    width, height = expected.upright
    steps.append(f"scale={width}:{height}:flags=bicubic:out_range=tv{matrix},format=yuv420p")
    steps.append(f"crop={expected.width}:{expected.height}:0:0")
    return ",".join(steps)


def _about_times(after: Seen, expected: Wanted, *, cut: bool) -> Iterator[str]:
    times = [picture.at for picture in after.pictures]
    if len(times) != len(expected.numbers):
        yield f"{len(times)} pictures instead of {len(expected.numbers)}"
        return
    off = [abs(a - b) for a, b in zip(times, expected.times, strict=True)]
    if max(off) > SAME_TIME:
        worst = off.index(max(off))
        yield f"picture {worst} is shown at {times[worst]:.4f} s instead of {expected.times[worst]:.4f} s"
    if abs(after.ends - expected.ends) > SAME_TIME:
        yield f"it ends at {after.ends:.4f} s instead of {expected.ends:.4f} s"
    length = float(after.format["duration"])
    if length < expected.ends - 0.05 or (cut and length > expected.ends + 0.05):
        yield f"the file says {length:.3f} s instead of {expected.ends:.3f} s"


def _about_pictures(after: Seen, expected: Wanted, near: list[float], one: Input, *, upright: bool) -> Iterator[str]:
    first = after.pictures[0]
    if upright and (first.width, first.height) != (expected.width, expected.height):
        yield f"{first.width}×{first.height} instead of {expected.width}×{expected.height}"
    if len(near) == len(expected.numbers) and min(near) < one.close:
        yield f"picture {near.index(min(near))} differs: {min(near):.1f} dB"
    video = after.video
    if video["pix_fmt"] != "yuv420p" or video.get("color_range", "tv") != "tv":
        yield f"its form is {video['pix_fmt']}, {video.get('color_range')}"
    if upright and video.get("side_data_list"):
        yield "it is turned by its header"
    if video.get("sample_aspect_ratio", "1:1") != "1:1":
        yield f"its pixels are {video['sample_aspect_ratio']}"
    if one.hdr and (video.get("color_transfer"), video.get("color_primaries")) != ("bt709", "bt709"):
        yield "it is not told to be BT.709"


def _about_sound(before: Seen, after: Seen, expected: Wanted, distances: list[float], *, real: bool) -> Iterator[str]:
    if (before.audio is None) != (after.audio is None):
        yield "the sound is gone" if before.audio else "there is a sound that was none"
        return
    if len(distances) != len(expected.beeps) or (len(after.beeps) != len(expected.beeps) and not real):
        yield f"beeps at {after.beeps} instead of {expected.beeps}"
    elif distances and max(distances) > SOUND:
        yield f"the sound is off by {max(distances) * 1000:.0f} ms"


def _about_tags(after: Seen) -> Iterator[str]:
    left = after.tags - HARMLESS
    if left:
        yield f"metadata is left: {', '.join(sorted(left))}"


def _sound(after: Seen) -> str:
    if after.audio is None:
        return "none"
    layout = after.audio.get("channel_layout") or f"{after.audio['channels']} channels"
    return f"{after.audio['codec_name']} {layout} {after.audio['sample_rate']}"
