"""What comes out, held against Debian's ffmpeg doing the same work: another build, with other code around it."""

import subprocess
from pathlib import Path

import pytest
from benchmarks.inputs import peer
from benchmarks.inputs.making import Generated, make
from PIL import Image

from moviola.plan import Overlay
from tests.media import clips
from tests.media.clips import Clip, Tone
from tests.unit.moviola_workers.conftest import Bench
from tests.unit.moviola_workers.plan_walk import Walk

PLAIN = ("{pictures} {tone} {h264} {aac} {out}",)
SHORT = Generated(seconds=0.4)
NEAR = 40.0


def _ffmpeg(*arguments: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _packets(path: Path) -> list[bytes]:
    """Time, length and MD5 of every packet of the picture, and of the sound where there is one."""
    lines = _ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-f", "framemd5", "-").splitlines()
    return [line for line in lines if not line.startswith(b"#")]


def test_muting_leaves_the_very_packets_that_ffmpeg_leaves(tmp_path: Path) -> None:
    source = make(PLAIN, Generated(), tmp_path / "clip.mp4")
    _ffmpeg("-i", str(source), "-c", "copy", "-an", str(tmp_path / "peer.mp4"))

    result = Walk(source, tmp_path, {"step": "mute"}).result

    assert _packets(result) == _packets(tmp_path / "peer.mp4")
    assert len(_packets(result)) == 75


FITS = [
    ({"height": 60}, "scale=80:60", 80, 60),
    ({"width": 96}, "scale=96:72", 96, 72),
    ({"width": 128, "height": 64}, "scale=86:64,pad=128:64:20:0", 128, 64),
    ({"width": 128, "height": 64, "fit": "cover"}, "scale=128:96,crop=128:64:0:16", 128, 64),
    ({"width": 128, "height": 64, "fit": "stretch"}, "scale=128:64", 128, 64),
    ({"width": 200, "height": 200}, "pad=200:200:20:40", 200, 200),
    ({"width": 240, "height": 240, "upscale": True}, "scale=240:180,pad=240:240:0:30", 240, 240),
    ({"height": 480}, "null", 160, 120),
    ({"width": 320, "upscale": True}, "scale=320:240", 320, 240),
]


@pytest.mark.parametrize(("wish", "chain", "width", "height"), FITS, ids=[str(wish) for wish, *_ in FITS])
def test_a_resize_is_ffmpegs_own(tmp_path: Path, wish: dict[str, object], chain: str, width: int, height: int) -> None:
    source = make(PLAIN, SHORT, tmp_path / "clip.mp4")

    result = Walk(source, tmp_path, {"step": "resize", **wish}, quality=4).result

    shown = peer.seen(result)
    assert {(picture.width, picture.height) for picture in shown.pictures} == {(width, height)}
    assert shown.video["pix_fmt"] == "yuv420p"
    assert min(peer.nearness(result, source, chain)) > NEAR


@pytest.fixture(params=["png", "webp", "jpg"])
def mark(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A soft-edged mark; as JPEG without the transparency, which that has not."""
    image = Image.new("RGBA", (48, 32))
    for x in range(48):
        for y in range(32):
            image.putpixel((x, y), (x * 5, 200 - y * 4, 90, 255 if request.param == "jpg" else min(255, x * 6)))
    path = tmp_path / f"mark.{request.param}"
    (image.convert("RGB") if request.param == "jpg" else image).save(path, lossless=True, quality=100)
    return path


@pytest.mark.parametrize("opacity", [1.0, 0.5])
def test_an_image_is_laid_over_as_ffmpeg_lays_it(bench: Bench, tmp_path: Path, mark: Path, opacity: float) -> None:
    source = make(PLAIN, SHORT, tmp_path / "clip.mp4")
    Image.open(mark).convert("RGBA").save(tmp_path / "peer.png")
    chain = f"movie={tmp_path / 'peer.png'},format=rgba,colorchannelmixer=aa={opacity}[mark];"
    graph = f"{chain}[0:v][mark]overlay=x=160-48-10:y=120-32-10:format=yuv420[out]"
    lossless = ("-c:v", "ffv1", "-an", str(tmp_path / "peer.mkv"))
    _ffmpeg("-i", str(source), "-filter_complex", graph, "-map", "[out]", *lossless)
    overlay = Overlay(image="mark", position="bottom-right", margin=10, opacity=opacity)

    result = bench.edit(source, picture=(overlay,), size=(160, 120), resources={"mark": mark})

    corner = "crop=64:48:96:72"
    assert min(_cropped(result, tmp_path / "peer.mkv", corner)) > 34
    assert min(_cropped(result, source, corner)) < 25


def _cropped(result: Path, source: Path, crop: str) -> list[float]:
    """How near the two come within a part of the picture."""
    small = source.with_name(f"small-{result.stem}.mkv")
    _ffmpeg("-y", "-i", str(result), "-vf", crop, "-c:v", "ffv1", "-an", str(small))
    return peer.nearness(small, source, crop)


PERSONAL = (
    ("title", "secret title"),
    ("artist", "secret artist"),
    ("location", "+41.3874+002.1686/"),
    ("creation_time", "2021-02-03T04:05:06.000000Z"),
)


@pytest.mark.parametrize(
    ("steps", "container"),
    [
        ([{"step": "trim", "start": 0.3, "end": 1.7}], "mp4"),
        ([{"step": "trim", "start": 0.3, "end": 1.7}, {"step": "resize", "height": 48}], "mp4"),
        ([{"step": "normalize"}], "mp4"),
        ([{"step": "mute"}], "mp4"),
        ([], "webm"),
    ],
    ids=["smart cut", "rendered", "sound worked on", "copied", "webm"],
)
def test_no_place_time_or_name_is_left_on_any_way(
    tmp_path: Path, steps: list[dict[str, object]], container: str
) -> None:
    source = clips.make(tmp_path / "clip.mov", Clip(tone=Tone(beeps=(1.0,)), metadata=PERSONAL))
    assert b"secret" in source.read_bytes()
    assert {"title", "artist", "location"} <= peer.seen(source).tags

    result = Walk(source, tmp_path, *steps, container=container).result

    written = result.read_bytes()
    assert not any(told in written for told in (b"secret", b"+41.3874", b"\xa9xyz", b"loci", b"2021-02-03"))
    assert not peer.seen(result).tags & {name for name, _ in PERSONAL}


def test_mixing_down_keeps_the_level_of_a_voice(tmp_path: Path) -> None:
    """Centre alone, as in speech: by BS.775 at -3 dB in both channels, scaled so that a full mix can't clip."""
    source = tmp_path / "clip.mkv"
    silent = "|".join(["0", "0", "0.5*sin(2*PI*440*t)", "0", "0", "0"])
    _ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=1"),
        *("-f", "lavfi", "-i", f"aevalsrc='{silent}:c=5.1:d=1'"),
        "-c:v",
        "libx264",
        "-c:a",
        "flac",
        str(source),
    )

    result = Walk(source, tmp_path, {"step": "downmix"}).result

    wanted = _loudest(source, "pan=stereo|FL=0.2929*FC|FR=0.2929*FC")
    assert _loudest(result, "anull") == pytest.approx(wanted, abs=0.5)


def _loudest(path: Path, chain: str) -> float:
    """Mean volume in dB by ffmpeg's meter."""
    command = [
        "ffmpeg",
        "-hide_banner",
        "-nostdin",
        "-i",
        str(path),
        "-vn",
        "-af",
        f"{chain},volumedetect",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    return float(said.split("mean_volume: ")[1].split()[0])
