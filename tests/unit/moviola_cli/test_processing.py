"""`moviola process`: the real pipeline on one file."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import av
import pytest

from moviola_cli.main import main
from moviola_workers.child_process import ChildProgram
from moviola_workers.engine.sample import make_sample
from moviola_workers.serve import run_worker

MOVIOLA = Path(sys.executable).parent / "moviola"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_sample(path, seconds=2.0)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_steps_in_one_command(clip: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        *("--start", "0.5", "--end", "1.5", "--width", "320", "--height", "180", "--watermark-text", "ANB"),
        *("--mute", "--poster", "p.jpg", "--storyboard", "--preview", "--json"),
    ]

    assert main(["process", str(clip), "-o", "out.mp4", *flags]) == 0

    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["status"] == "ready"
    made = ["out.mp4", "p.jpg", "storyboard.vtt", "storyboard.jpg", "preview.webp"]
    assert [one["path"] for one in document["files"]] == made
    assert document["plan"]["generations"] == 1
    assert document["quality"]["checks"]
    assert all(check["ok"] for check in document["quality"]["checks"])
    assert "render (trim, resize, watermark, mute) 100%" in told.err.splitlines()
    assert names_in(here) == sorted(made)
    with av.open(here / "out.mp4") as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == (320, 180)
        assert not made.streams.audio
        assert made.duration is not None
        assert made.duration / av.time_base == pytest.approx(1.0, abs=0.05)
    assert (here / "out.mp4").stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_an_image_as_watermark(clip: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.new("RGBA", (64, 64), (255, 0, 0, 255)).save("logo.png")

    arguments = ["-o", "out.mp4", "--end", "0.2", "--watermark-image", "logo.png", "--position", "top-left"]
    assert main(["process", str(clip), *arguments]) == 0

    with av.open(here / "out.mp4") as made:
        picture = next(made.decode(video=0)).to_image()
    red, green, blue = picture.getpixel((25, 25))
    assert red > 180
    assert green < 100
    assert blue < 100
    assert capsys.readouterr().out.startswith("out.mp4: ")


def test_a_recipe_file_with_a_flag_over_it(clip: Path, here: Path) -> None:
    (here / "recipe.json").write_text(
        '{"steps": [{"step": "resize", "height": 90}], "output": {"preset": "ultrafast"}}'
    )

    assert main(["process", str(clip), "-o", "out.mp4", "--recipe", "recipe.json", "--height", "120"]) == 0

    with av.open(here / "out.mp4") as made:
        assert made.streams.video[0].height == 120


def test_a_package_lies_beside_the_result(clip: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "subs.srt").write_text("1\n00:00:00,100 --> 00:00:01,000\nHola\n")
    flags = ["--hls", "--heights", "60,40", "--captions", "es=subs.srt"]

    assert main(["process", str(clip), "-o", "out.mp4", *flags]) == 0

    assert names_in(here) == ["out.hls", "out.mp4", "subs.srt"]
    made = names_in(here / "out.hls")
    assert {"master.m3u8", "60p.m3u8", "60p.mp4", "40p.mp4", "audio.m4a", "captions-es.vtt"} <= set(made)
    assert "Hola" in (here / "out.hls" / "captions-es.vtt").read_text()
    assert capsys.readouterr().out.splitlines()[1].startswith("out.hls/master.m3u8: 60p, 40p, ")
    # What is there already is not written over by mistake.
    (here / "out.mp4").unlink()
    assert main(["process", str(clip), "-o", "out.mp4", "--hls"]) == 2
    assert "out.hls exists" in capsys.readouterr().err


def test_a_package_alone_goes_into_the_directory_that_is_named(clip: Path, here: Path) -> None:
    (here / "tree").mkdir()

    assert main(["process", str(clip), "-o", "tree", "--hls", "--heights", "60"]) == 0

    assert names_in(here) == ["tree"]
    assert {"master.m3u8", "60p.m3u8", "60p-iframes.m3u8", "60p.mp4"} <= set(names_in(here / "tree"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--captions", "subs.srt"], "names no captions"),
        (["--captions", "en=missing.srt"], "There is no file missing.srt"),
        (["--captions", "en=bad.srt"], "Line 1: this is neither WebVTT nor SRT. (at bad.srt)"),
        (["--captions", "en=bad.srt", "--captions", "en=bad.srt"], "given twice"),
        (["--heights", "720,x"], "give pixels by comma"),
        (["--recipe", "recipe.json"], "give --captions en=FILE"),
    ],
)
def test_a_package_that_can_not_be_made_as_told_is_bad_use(
    flags: list[str], said: str, clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.srt").write_text("What?")
    captions = '[{"language": "en", "file": "captions-en"}]'
    (here / "recipe.json").write_text(f'{{"steps": [{{"step": "package", "captions": {captions}}}]}}')

    assert main(["process", str(clip), "-o", "out.mp4", *flags]) == 2

    assert said in capsys.readouterr().err
    assert names_in(here) == ["bad.srt", "recipe.json"]


def test_stills_alone_are_of_the_input_and_replace_nothing_unasked(
    clip: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "recipe.json").write_text('{"steps": [{"step": "thumbnails", "preview": true}]}')
    command = ["process", str(clip), "-o", "out.mp4", "--recipe", "recipe.json"]

    assert main(command) == 0

    assert names_in(here) == ["poster.jpg", "preview.webp", "recipe.json"]
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("out.mp4: not made, since nothing is edited,")
    assert told[1:] == ["poster.jpg", "preview.webp"]
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "moviola: poster.jpg exists; --force replaces it."


@pytest.mark.parametrize(
    ("content", "flags", "code"),
    [
        (b"\x00" * 4096, [], "media.unrecognized"),
        (b"", [], "media."),
        (None, ["--start", "60"], "recipe.start_beyond_end"),
    ],
)
def test_a_video_that_fails_is_one_line_status_1_and_leaves_nothing(
    content: bytes | None,
    flags: list[str],
    code: str,
    clip: Path,
    tmp_path: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = clip
    if content is not None:
        source = here / "in.mp4"
        source.write_bytes(content)
    before = names_in(here)

    assert main(["process", str(source), "-o", "out.mp4", *flags]) == 1

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"moviola: {code}")
    assert names_in(here) == before


def test_force_replaces_and_a_failure_does_not(clip: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "out.mp4").write_bytes(b"older")
    (here / "bad.mp4").write_bytes(b"\x00" * 4096)

    assert main(["process", "bad.mp4", "-o", "out.mp4", "-f"]) == 1
    assert (here / "out.mp4").read_bytes() == b"older"
    assert main(["process", str(clip), "-o", "out.mp4", "-f", "--end", "0.2"]) == 0
    assert (here / "out.mp4").stat().st_size > 1000


async def test_interrupted_it_leaves_nothing_and_no_child(clip: Path, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        MOVIOLA,
        *("process", str(clip), "-o", str(tmp_path / "out.mp4"), "--height", "120"),
        stdout=subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    first = await process.stderr.readline()
    assert b"probe" in first or b"resize" in first

    process.send_signal(signal.SIGINT)
    rest = await process.stderr.read()

    assert await process.wait() == 130
    assert rest.decode().splitlines()[-1] == "moviola: interrupted"
    assert await asyncio.to_thread(names_in, tmp_path) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_result_that_does_not_pass_its_checks_is_a_failure_and_is_not_kept(
    clip: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ChildProgram("faulty_steps", (str(Path(__file__).parent),))
    monkeypatch.setattr("moviola_cli.embedded.run_worker", partial(run_worker, program=program))

    assert main(["process", str(clip), "-o", "out.mp4", "--height", "90"]) == 1

    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == (
        "moviola: worker.bad_output: The result did not pass its checks: result.mp4: "
        "streams is 1 picture, 0 sound, 0 others instead of 1 picture, 1 sound, 0 others."
    )
    assert "verify 100%" in told.err.splitlines()
    assert names_in(here) == []
