"""`moviola probe`: the facts of a file, for a person and as JSON."""

import json
from pathlib import Path

import pytest

from moviola_cli.main import main
from tests.media.clips import Clip, Tone, make


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    beeps = Tone(beeps=(0.2, 0.8, 1.4))
    return make(tmp_path_factory.mktemp("clip") / "clip.mp4", Clip(rotation=90, tone=beeps, b_frames=0))


def test_the_facts_are_told_line_by_line(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(clip), "--loudness"]) == 0

    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["source"].startswith("QuickTime / MOV, 2.000 s, ")
    assert "160×96, shown as 96×160, 3:5, turned by 90°" in lines["video"]
    assert lines["frames"] == (
        "50, 25.000 a second, progressive, key frame every 12 at most, 10 on average, closed GOPs, no B-frames"
    )
    assert lines["colour"].startswith("yuv420p (4:2:0, 8 bits)")
    assert lines["audio"].startswith("#1, aac LC, 48000 Hz, stereo, from 0.000 s, ")
    assert "LUFS" in lines["loudness"]
    assert lines["warning"] == "probe.rotated: The picture is shown turned by 90 degrees; it is turned upright."


def test_the_facts_as_json_are_those_of_the_interface(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(clip), "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert (facts["video"]["level"], facts["video"]["rotation"], facts["fast_start"]) == ("1.1", 90, False)
    assert facts["loudness"] is None
    assert [warning["code"] for warning in facts["warnings"]] == ["probe.rotated"]


def test_what_is_no_video_is_one_line_and_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("Not a video.\n")

    assert main(["probe", str(text)]) == 1
    assert main(["probe", str(tmp_path / "none.mp4")]) == 2

    failed, bad_use = capsys.readouterr().err.splitlines()
    assert failed == "moviola: media.unrecognized: This is no video file that Moviola knows."
    assert bad_use.startswith("moviola: There is no file ")
