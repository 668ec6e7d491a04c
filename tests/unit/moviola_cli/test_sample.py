"""The sample clip that `up` offers."""

import asyncio
from pathlib import Path

import av

from moviola_cli.sample import make, offered_sample


def test_it_has_picture_and_sound_and_appears_whole(tmp_path: Path) -> None:
    make(tmp_path / "sample.mp4", seconds=0.5)

    assert [path.name for path in tmp_path.iterdir()] == ["sample.mp4"]
    with av.open(tmp_path / "sample.mp4") as clip:
        assert (len(clip.streams.video), len(clip.streams.audio)) == (1, 1)


async def test_leaving_early_ends_its_making(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with offered_sample(tmp_path) as path:
            pass

    assert not path.exists()


async def test_one_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "sample.mp4").write_bytes(b"mine")

    async with offered_sample(tmp_path) as path:
        assert path.read_bytes() == b"mine"
