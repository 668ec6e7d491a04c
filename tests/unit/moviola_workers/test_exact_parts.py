"""Whatever is kept, it is kept to the frame: held against an answer worked out from the times alone."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moviola_workers.engine.selection import HOLD
from tests.media.clips import Clip, Tone, beeps, make, numbers, times
from tests.unit.moviola_workers.plan_walk import Walk

Part = tuple[int, int]


@st.composite
def _times(draw: st.DrawFn) -> list[int]:
    """Times of frames in ms; most gaps are short, some longer than is waited for."""
    gaps = draw(st.lists(st.sampled_from([5, 20, 33, 40, 41, 90, 250]), min_size=24, max_size=40))
    return [sum(gaps[:count]) for count in range(len(gaps))]


@st.composite
def _parts(draw: st.DrawFn, length: int = 1400) -> list[Part]:
    borders = sorted(draw(st.sets(st.integers(0, length), min_size=2, max_size=6)))
    return [(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]


def _expected(stamps: Sequence[int], end: int, parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Each kept frame's number, and its time in the result; times in ms."""
    kept: list[tuple[int, int]] = []
    lands = 0
    for start, stop in parts:
        inside = [number for number, at in enumerate(stamps) if start <= at < stop]
        before = [number for number, at in enumerate(stamps) if at < start]
        following = next((at for at in stamps if at >= start), None)
        held = before[-1:] if (following is None or following - start > HOLD * 1000) and start < end else []
        if not inside and not held:
            continue
        begins = start if held else stamps[inside[0]]
        kept += [(number, lands) for number in held]
        kept += [(number, stamps[number] - begins + lands) for number in inside]
        after = next((at for at in stamps if at >= stop), None)
        last = stamps[inside[-1]] if inside else start
        if after is None:
            until = min(end, max(stop, last + 1))
        else:
            until = after if after - stop <= HOLD * 1000 else max(stop, last + 1)
        lands += until - begins
    return kept


@pytest.mark.parametrize("gop", [6, 400], ids=["cut without encoding", "encoded"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(stamps=_times(), parts=_parts())
def test_parts_hold_exactly_the_frames_of_their_time(gop: int, stamps: list[int], parts: list[Part]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = make(folder / "clip.mkv", Clip(times=stamps, gop=gop))
        end = stamps[-1] + 40  # in Matroska a last picture lasts as long as the rate of 25 that is told
        parts = [part for part in parts if part[0] < stamps[-1]] or [(0, stamps[-1])]
        keep = [{"start": start / 1000, "end": stop / 1000} for start, stop in parts]

        result = Walk(source, folder, {"step": "trim", "keep": keep}, quality=12).result

        expected = _expected(stamps, end, parts)
        assert numbers(result) == [number for number, _ in expected]
        assert [round(at * 1000) for at in times(result)] == [at for _, at in expected]


@pytest.mark.parametrize("more", [[], [{"step": "resize", "height": 48}]], ids=["cut without encoding", "encoded"])
def test_sound_does_not_drift_over_a_hundred_parts(tmp_path: Path, more: list[dict[str, object]]) -> None:
    """Each part is 0.21 s long, which is no whole number of frames: rounding of any kind would add up."""
    marks = [0.3 * number + 0.05 for number in range(0, 100, 9)]
    source = make(tmp_path / "clip.mp4", Clip(frames=760, gop=3, tone=Tone(beeps=marks, rate=11025, layout="mono")))
    keep = [{"start": round(0.3 * number, 3), "end": round(0.3 * number + 0.21, 3)} for number in range(100)]

    walk = Walk(source, tmp_path, {"step": "trim", "keep": keep}, *more)

    shown_at = dict(zip(_kept(keep), times(walk.result), strict=True))
    heard = beeps(walk.result)
    assert walk.plan.partial == (not more)
    for mark in marks:
        frame = next(number for number in shown_at if number / 25 <= mark < (number + 1) / 25)
        due = float(shown_at[frame]) + mark - frame / 25
        assert min(abs(due - beep) for beep in heard) <= 0.025


def _kept(keep: Sequence[dict[str, float]]) -> list[int]:
    return [n for n in range(760) for part in keep if part["start"] - 1e-6 <= n / 25 < part["end"] - 1e-6]
