"""The storyboard: every cell shows the frame that is on display at its cue's time, or a key frame near it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from moviola.plan import Storyboard
from moviola.probe import Warning
from moviola.recipe import StoryboardWish
from moviola.stills import Seen, lay_out
from moviola_workers.engine.display import LEAST_PIXELS, Display
from moviola_workers.engine.pulse import Pulse
from moviola_workers.engine.reading import PictureReader
from moviola_workers.job import Job
from tests.media.clips import Clip, make, shown
from tests.media.patches import Colours, make_patches
from tests.media.storyboards import Cue, cell, cues_in, number_of
from tests.unit.moviola_workers.conftest import Bench
from tests.unit.moviola_workers.plan_walk import Walk

# A microsecond before a frame is that frame.
ROUNDING = Fraction(1, 1_000_000)


def drawn(bench: Bench, source: Path, **wish: object) -> list[Cue]:
    """The cues of a storyboard that the plan for the file asks for; all files come in the plan's order."""
    facts = bench.probe(source)
    warnings: list[Warning] = []
    about = Seen(width=facts.video.display_width, height=facts.video.display_height, duration=facts.duration)
    return cues_of(bench, source, lay_out(StoryboardWish.model_validate(wish), about, warnings))


def cues_of(bench: Bench, source: Path, board: Storyboard) -> list[Cue]:
    job = Job(kind="thumbnails", parameters=board, source=source, scratch=bench.directory, encoder_threads=2)
    made = bench.run(job).made
    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] == 1
    assert [(one.name, one.content_type) for one in made[:2]] == [
        ("storyboard.vtt", "text/vtt"),
        ("storyboard.jpg", "image/jpeg"),
    ]
    cues = cues_in((bench.directory / "storyboard.vtt").read_text(encoding="utf-8"))
    assert {one.name for one in made[1:]} == {cue.sprite for cue in cues}
    return cues


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("clip.mp4", Clip(frames=60, b_frames=3, gop=30)),
        ("clip.mkv", Clip(frames=60, b_frames=3, gop=12)),
        ("clip.ts", Clip(frames=60, b_frames=3, gop=30)),
        ("clip.avi", Clip(frames=60, codec="mpeg4", b_frames=0)),
        ("clip.webm", Clip(frames=6, times=[0, 40, 500, 510, 1900, 2500], codec="libvpx-vp9")),
        ("one.mp4", Clip(frames=1)),
        ("slow.mp4", Clip(frames=5, rate=2, gop=2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_cell_shows_the_frame_on_display_at_its_time(bench: Bench, tmp_path: Path, name: str, clip: Clip) -> None:
    source = make(tmp_path / name, clip)
    frames = shown(source)
    begin = frames[0].time

    cues = drawn(bench, source, interval=0.1, width=64, columns=7)

    for cue in cues:
        on_display = [one for one in frames if one.time - begin <= cue.start + ROUNDING][-1]
        assert number_of(cell(bench.directory, cue)) == on_display.number, cue
    assert cues[-1].end >= frames[-1].time - begin


def test_cells_of_rotated_clips_with_wide_pixels_are_upright_and_of_the_right_shape(
    bench: Bench, tmp_path: Path
) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=3, quarters=True, rotation=90, shape=Fraction(2)))

    (cue,) = drawn(bench, source, count=1, width=48)

    # 160×96 with pixels twice as wide is 320×96; turned, 96×320.
    assert cue.place == (0, 0, 48, 160)
    image = cell(bench.directory, cue)
    corners = [image.getpixel(place) for place in ((10, 30), (38, 30), (10, 130), (38, 130))]
    assert sorted(corners) == [corners[2], corners[0], corners[3], corners[1]]


def test_a_picture_of_one_pixel_has_cells_of_one_pixel(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", Clip(frames=3, width=1, height=1, codec="ffv1"))

    assert {cue.place[2:] for cue in drawn(bench, source, interval=0.1)} == {(1, 1)}


@pytest.mark.slow  # the conversion alone takes seconds to set up
def test_hdr_is_tone_mapped(bench: Bench, tmp_path: Path) -> None:
    """A quarter of PQ's scale (5 cd/m²) is darker in standard range than a quarter of that one's."""
    colours = Colours(matrix=9, primaries=9, transfer=16, depth=10, pixels="yuv420p10le", codec="ffv1")
    source = make_patches(tmp_path / "clip.mkv", colours, [(0.25, 0.25, 0.25)] * 2)

    (cue,) = drawn(bench, source, count=1)

    assert cell(bench.directory, cue).getpixel((10, 10)) == pytest.approx(40, abs=5)


def test_several_sprites_are_filled_one_after_the_other(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))
    board = Storyboard(interval=0.2, cells=10, columns=2, rows=2, width=64, height=38, duration=2.0)

    cues = cues_of(bench, source, board)

    assert [cue.sprite for cue in cues[3:5]] == ["storyboard.jpg", "storyboard-2.jpg"]
    assert [number_of(cell(bench.directory, cue)) for cue in cues] == list(range(0, 50, 5))
    with Image.open(bench.directory / "storyboard-3.jpg") as last:
        assert last.size == (128, 38)


def long_stream(path: Path, clip: Path, times: int) -> Path:
    """The clip's packets over and over again, in a transport stream, which has no index."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        length = sum(packet.duration or 0 for packet in packets)
        for number in range(times):
            for packet in _moved(packets, number * length):
                packet.stream = stream
                target.mux(packet)
    return path


def _moved(packets: list[av.Packet], by: int) -> Iterator[av.Packet]:
    for packet in packets:
        copy = av.Packet(bytes(packet))
        assert packet.pts is not None
        assert packet.dts is not None
        copy.pts, copy.dts, copy.time_base = packet.pts + by, packet.dts + by, packet.time_base
        copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
        yield copy


def test_a_long_file_without_an_index_is_not_decoded_but_sought(bench: Bench, tmp_path: Path) -> None:
    """Sixteen minutes: each cell shows the last key frame before its time, and no more than those are decoded."""
    clip = make(tmp_path / "clip.mp4", Clip(frames=240, gop=60, b_frames=0))
    source = long_stream(tmp_path / "long.ts", clip, 100)

    cues = drawn(bench, source, interval=71.0, width=64)

    assert len(cues) == 14
    for cue in cues:
        assert number_of(cell(bench.directory, cue)) == int(cue.start * 25) % 240 // 60 * 60
    # A report for each frame that is decoded: 24,000 would be all of them.
    assert len(bench.progress) < 100


def test_key_frames_do_where_they_are_dense_and_exact_ones_cost_too_much(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=100, gop=10, b_frames=2))
    with PictureReader(source, Job.model_fields["limits"].default) as reader:
        base = reader.time_base
        start = reader.stream.start_time or 0
        display = Display(reader, [start + int(Fraction(n) / base) for n in range(4)], Pulse(lambda _: None))

        assert display.dense()
        # One second is a multiple of neither: 25, 50 and 75 lie 5, 0 and 5 frames behind a key frame.
        assert display.affordable(pixels=LEAST_PIXELS * 20)
        assert not display.affordable(pixels=LEAST_PIXELS * 5)
        near = [int(((frame.pts or 0) - start) * base * 25) for frame in display.near()]
        exact = [int(((frame.pts or 0) - start) * base * 25) for frame in display.exact()]
    assert near == [0, 20, 50, 70]
    assert exact == [0, 25, 50, 75]


def test_a_recipe_of_stills_alone_looks_at_the_original(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50))

    walk = Walk(source, tmp_path, {"step": "thumbnails", "storyboard": {"count": 2}, "preview": True})

    assert [one.source for one in walk.plan.passes] == ["original"] * 3
    for one in walk.plan.passes:
        assert tuple(made.name for made in walk.results[one.name].made) == one.files
