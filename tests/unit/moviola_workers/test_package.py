"""An HLS package through planner and engine, read by readers that aren't ours."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import m3u8
import pytest

from tests.media.clips import Clip, Tone, beeps, make, numbers, packets, times
from tests.unit.moviola_workers import hls_reader as reader
from tests.unit.moviola_workers.plan_walk import Walk

CAPTIONS = "WEBVTT\n\n00:00.500 --> 00:02.000\nNot all of it\n\n00:04.900 --> 00:05.100\nNothing of it\n"
SECONDS = 1.5
RESIZE = {"step": "resize", "height": 192}


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A trim and a resize with a package, all in one pass: 3.72 s, 93 frames, two renditions, sound and captions."""
    folder = tmp_path_factory.mktemp("fused")
    tone = Tone(beeps=(1.5, 4.0))
    source = make(folder / "clip.mp4", Clip(frames=130, width=320, height=192, gop=50, tone=tone))
    texts = folder / "captions.vtt"
    texts.write_text(CAPTIONS)
    captions = [{"language": "en", "label": "English", "file": "captions-en"}]
    package = {"step": "package", "heights": [192, 96], "segment_seconds": SECONDS, "captions": captions}
    trim = {"step": "trim", "start": 1, "end": 4.72}
    return Walk(source, folder, trim, RESIZE, package, resources={"captions-en": texts})


@pytest.fixture(scope="module")
def tree(fused: Walk) -> Path:
    return reader.package_of(fused.results["render"])


RENDITIONS = ("192p", "96p")


def test_one_pass_makes_the_result_and_everything_that_the_plan_promised(fused: Walk) -> None:
    one = fused.plan.named("render")
    assert [each.kind for each in fused.plan.passes] == ["render", "verify"]
    made = fused.results["render"].made
    assert tuple(file.name for file in made) == one.files
    types = {file.name.rpartition(".")[2]: file.content_type for file in made}
    assert types == {
        "mp4": "video/mp4",
        "m3u8": "application/vnd.apple.mpegurl",
        "m4a": "audio/mp4",
        "vtt": "text/vtt",
    }
    progress = fused.progress["render"]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert len(progress) > 93


def test_the_result_and_its_own_rendition_are_the_same_packets(fused: Walk, tree: Path) -> None:
    result = [data for _, _, data in packets(fused.results["render"].made[0].path, "video")]
    assert [data for _, _, data in packets(tree / "192p.mp4", "video")] == result
    sound = [data for _, _, data in packets(fused.results["render"].made[0].path, "audio")]
    assert [data for _, _, data in packets(tree / "audio.m4a", "audio")] == sound


def test_the_master_tells_what_the_streams_are(tree: Path) -> None:
    found = reader.master(tree)
    assert found.is_variant
    assert found.is_independent_segments
    told = [(one.stream_info.resolution, one.stream_info.frame_rate, one.uri) for one in found.playlists]
    assert told == [((320, 192), 25.0, "192p.m3u8"), ((160, 96), 25.0, "96p.m3u8")]
    for variant in found.playlists:
        profile, sound = variant.stream_info.codecs.split(",")
        path = tree / variant.uri.replace("m3u8", "mp4")
        data = path.read_bytes()
        sps = data[data.index(b"avcC") + 5 :][:3]
        assert profile == f"avc1.{sps.hex()}"
        assert sound == "mp4a.40.2"
        assert variant.stream_info.audio == "audio"
        assert variant.stream_info.subtitles == "captions"
    kinds = [(one.type, one.uri, one.language, one.channels) for one in found.media]
    assert kinds == [("AUDIO", "audio.m3u8", None, "2"), ("SUBTITLES", "captions-en.m3u8", "en", None)]
    assert [one.uri for one in found.iframe_playlists] == ["192p-iframes.m3u8", "96p-iframes.m3u8"]


def test_bandwidths_are_those_of_the_segments(tree: Path) -> None:
    sound = reader.media(tree, "audio.m3u8")
    for variant in reader.master(tree).playlists:
        picture = reader.media(tree, variant.uri)
        average = sum(
            sum(one.size for one in media.stretches) * 8 / sum(one.seconds for one in media.stretches)
            for media in (picture, sound)
        )
        peak = sum(
            max(one.size * 8 / one.seconds for one in media.stretches if one.seconds >= media.target / 2)
            for media in (picture, sound)
        )
        assert variant.stream_info.average_bandwidth == pytest.approx(average, abs=2)
        assert variant.stream_info.bandwidth >= variant.stream_info.average_bandwidth
        assert variant.stream_info.bandwidth >= int(peak)


@pytest.mark.parametrize("name", [*(f"{name}.m3u8" for name in RENDITIONS), "audio.m3u8"])
def test_byte_ranges_cover_the_file_without_a_hole(tree: Path, name: str) -> None:
    media = reader.media(tree, name)
    position = len(media.head)
    for stretch in media.stretches:
        assert stretch.offset == position
        position += stretch.size
    assert position == media.path.stat().st_size
    assert all(int(stretch.seconds + 0.5) <= media.target for stretch in media.stretches)


def test_renditions_begin_their_segments_at_the_same_times(tree: Path) -> None:
    keys = {tuple(reader.key_times(tree / f"{name}.mp4")) for name in RENDITIONS}
    assert keys == {(Fraction(0), Fraction("1.52"), Fraction(3))}
    lengths = {tuple(one.seconds for one in reader.media(tree, f"{name}.m3u8").stretches) for name in RENDITIONS}
    assert lengths == {(1.52, 1.48, 0.72)}
    sound = [one.seconds for one in reader.media(tree, "audio.m3u8").stretches]
    assert sound == pytest.approx([1.5, 1.5, 0.72], abs=0.3)


@pytest.mark.parametrize("name", RENDITIONS)
def test_every_segment_plays_alone_and_its_key_picture_too(tree: Path, name: str) -> None:
    media = reader.media(tree, f"{name}.m3u8")
    keys = reader.media(tree, f"{name}-iframes.m3u8")
    counts = []
    for stretch, key in zip(media.stretches, keys.stretches, strict=True):
        pictures = list(reader.decoded(media.alone(stretch)))
        counts.append(len(pictures))
        assert (key.offset, key.seconds) == (stretch.offset, stretch.seconds)
        assert list(reader.decoded(keys.alone(key))) == pictures[:1]
    assert counts == [38, 37, 18]


def test_a_player_sees_all_pictures_and_hears_all_sound(tree: Path) -> None:
    found = reader.streams(tree / "master.m3u8")
    pictures = {(one["width"], one["height"]): one for one in found if one["codec_type"] == "video"}
    assert {size: one["nb_read_frames"] for size, one in pictures.items()} == {(320, 192): "93", (160, 96): "93"}
    assert {float(one["start_time"]) for one in pictures.values()} == {0.0}
    for name in RENDITIONS:
        assert reader.frame_times(tree / f"{name}.m3u8") == [Fraction(number, 25) for number in range(93)]
        assert numbers(tree / f"{name}.mp4") == list(range(25, 118))
    assert beeps(tree / "audio.m4a") == pytest.approx([0.5, 3.0], abs=0.03)
    assert sum(one.seconds for one in reader.media(tree, "audio.m3u8").stretches) == pytest.approx(3.72, abs=0.03)


def test_captions_come_along_trimmed(tree: Path) -> None:
    text = (tree / "captions-en.vtt").read_text()
    assert "00:00:00.000 --> 00:00:01.000\nNot all of it\n" in text
    assert "Nothing of it" not in text
    playlist = m3u8.loads((tree / "captions-en.m3u8").read_text())
    assert [(one.uri, one.duration) for one in playlist.segments] == [("captions-en.vtt", 3.72)]
    assert playlist.target_duration >= 3.72


@pytest.mark.parametrize(
    ("codec", "named"), [("hevc", "hvc1.1.6.L"), ("av1", "av01.0.0"), ("vp9", "avc1.")], ids=["hevc", "av1", "vp9"]
)
def test_other_codecs_are_packaged_as_players_want_them(tmp_path: Path, codec: str, named: str) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=60, tone=Tone()))
    walk = Walk(source, tmp_path, RESIZE, {"step": "package", "segment_seconds": 1.0}, video_codec=codec)
    tree = reader.package_of(walk.results["render"])
    (variant,) = reader.master(tree).playlists
    assert variant.stream_info.codecs.startswith(named)
    assert variant.stream_info.codecs.endswith(",mp4a.40.2")
    assert reader.key_times(tree / "96p.mp4") == [0, 1, 2]
    media = reader.media(tree, variant.uri)
    assert [len(list(reader.decoded(media.alone(one)))) for one in media.stretches] == [25, 25, 10]
    result = walk.results["render"].made[0].path
    assert len(numbers(result)) == 60
    assert (walk.results["render"].made[0].content_type == "video/webm") == (codec == "vp9")


def test_a_package_beside_copied_packets_shows_the_same_as_the_result(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=150, gop=25, tone=Tone(beeps=(2.0,))))
    trim = {"step": "trim", "start": 0.9, "end": 5.5}
    walk = Walk(source, tmp_path, trim, {"step": "package", "heights": [48], "segment_seconds": 2.0})
    assert [one.name for one in walk.plan.passes] == ["trim", "package", "verify"]
    assert walk.plan.generations_of == {"result.mp4": 1, "hls": 1}
    tree = reader.package_of(walk.results["package"])
    result = walk.results["trim"].made[0].path
    assert times(tree / "48p.mp4") == times(result)
    assert numbers(tree / "48p.mp4") == numbers(result) == list(range(23, 138))
    assert beeps(tree / "audio.m4a") == pytest.approx([1.1], abs=0.03)


def test_a_package_of_the_original_keeps_its_sound_as_it_is(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50, tone=Tone(beeps=(1.0,))))
    walk = Walk(source, tmp_path, {"step": "package"})
    tree = reader.package_of(walk.results["package"])
    assert packets(tree / "audio.m4a", "audio")[0][2] == packets(source, "audio")[0][2]
    assert beeps(tree / "audio.m4a") == pytest.approx([1.0], abs=0.03)
    assert walk.plan.passes[0].sound == "copied"


@pytest.mark.parametrize("steps", [[RESIZE], []], ids=["with a result", "alone"])
def test_sound_that_begins_late_is_late_in_the_package_for_every_player(
    tmp_path: Path, steps: list[dict[str, object]]
) -> None:
    """Not by an edit list with a gap in it, which some players pass over: by silence."""
    source = make(tmp_path / "clip.mp4", Clip(frames=75, tone=Tone(start=1.0, seconds=2.0, beeps=(2.0,))))
    walk = Walk(source, tmp_path, *steps, {"step": "package", "segment_seconds": 1.0})
    tree = reader.package_of(walk.results[walk.plan.passes[0].name])
    assert beeps(tree / "audio.m4a") == pytest.approx([2.0], abs=0.03)
    assert sum(one.seconds for one in reader.media(tree, "audio.m3u8").stretches) == pytest.approx(3.0, abs=0.05)


def test_pictures_of_a_variable_rate_keep_their_times(tmp_path: Path) -> None:
    shown_at = [0, 40, 80, 1000, 1040, 2500, 2533, 2566, 6100, 6140]
    source = make(tmp_path / "clip.mkv", Clip(times=shown_at, b_frames=2))
    walk = Walk(source, tmp_path, RESIZE, {"step": "package", "heights": [96, 48], "segment_seconds": 1.0})
    tree = reader.package_of(walk.results["render"])
    for name in ("96p", "48p"):
        assert [round(time * 1000) for time in reader.frame_times(tree / f"{name}.m3u8")] == shown_at
        media = reader.media(tree, f"{name}.m3u8")
        starts = [sum(one.seconds for one in media.stretches[:count]) for count in range(len(media.stretches))]
        assert starts == pytest.approx([float(at) for at in reader.key_times(tree / f"{name}.mp4")], abs=0.002)
        assert starts == pytest.approx([0, 1, 2.5, 6.1], abs=0.002)
        assert media.target == 4


def test_a_turned_picture_is_packaged_upright_and_without_sound_there_is_none(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=25, rotation=90))
    walk = Walk(source, tmp_path, {"step": "mute"}, {"step": "package", "heights": [80]})
    tree = reader.package_of(walk.results["package"])
    (variant,) = reader.master(tree).playlists
    assert variant.stream_info.resolution == (48, 80)
    assert reader.master(tree).media == []
    assert not (tree / "audio.m4a").exists()


def test_the_plan_without_fusion_packages_the_result(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=50, tone=Tone()))
    steps = [{"step": "trim", "start": 0.4}, {"step": "resize", "height": 48}, {"step": "package"}]
    walk = Walk(source, tmp_path, *steps, fusion=False)
    assert walk.plan.generations_of == {"result.mp4": 2, "hls": 3}
    tree = reader.package_of(walk.results["package"])
    assert numbers(tree / "48p.mp4") == list(range(10, 50))


def test_times_in_playlists_grow(tree: Path) -> None:
    for name in RENDITIONS:
        shown = reader.frame_times(tree / f"{name}.m3u8")
        assert all(after > before for before, after in pairwise(shown))
