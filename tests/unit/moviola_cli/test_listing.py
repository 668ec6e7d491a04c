"""What `moviola show` says of a video."""

import pytest

from moviola.documents import VideoDocument
from moviola_cli.listing import print_details


def test_a_step_that_came_from_the_cache_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [{"step": "trim", "state": "succeeded", "cached": True}, {"step": "mute", "state": "running"}]
    print_details(VideoDocument.model_validate({"id": "v", "status": "processing", "steps": steps}), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("step")] == [
        "step      trim succeeded, from the cache",
        "step      mute running",
    ]
