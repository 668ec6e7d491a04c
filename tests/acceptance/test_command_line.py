"""The command line against a running server, as a person or a script would use it."""

import json
import subprocess
from pathlib import Path

from tests.acceptance import media
from tests.acceptance.systems import MOVIOLA, Deployment
from tests.acceptance.test_one_video import CLIP, FOUR_STEPS


def moviola(system: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(MOVIOLA), *arguments, "--url", system.url], capture_output=True, text=True, timeout=90)


def test_submit_waits_lists_shows_and_downloads(system: Deployment, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(FOUR_STEPS))
    submitted = moviola(system, "submit", str(CLIP), "--recipe", str(recipe), "--tag", "cli", "--wait", "--json")
    assert submitted.returncode == 0, submitted.stderr
    video = json.loads(submitted.stdout)
    assert video["status"] == "ready"
    assert video["id"] in moviola(system, "list", "--json").stdout
    shown = moviola(system, "show", video["id"])
    assert "ready" in shown.stdout
    assert "1 lossy generation" in shown.stdout
    target = tmp_path / "out.mp4"
    fetched = moviola(system, "download", video["id"], "-o", str(target))
    assert fetched.returncode == 0, fetched.stderr
    assert media.picture(target)["nb_read_frames"] == "50"


def test_a_failed_video_is_exit_status_1(system: Deployment, tmp_path: Path) -> None:
    fake = tmp_path / "fake.mp4"
    fake.write_text("no video\n")
    ended = moviola(system, "submit", str(fake), "--wait")
    assert ended.returncode == 1
    assert "media.unrecognized" in ended.stderr
    assert "Traceback" not in ended.stderr
