"""One process at a time on one data directory."""

import os
from pathlib import Path

import pytest

from moviola_cli.data_dir import held_data_dir
from moviola_cli.outcome import BadUse


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    with held_data_dir(tmp_path / "a" / "b") as path:
        assert path.is_dir()


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with held_data_dir(tmp_path), pytest.raises(BadUse, match=f"process {os.getpid()}"), held_data_dir(tmp_path):
        pass


def test_what_was_left_can_be_held_again(tmp_path: Path) -> None:
    with held_data_dir(tmp_path):
        pass
    with held_data_dir(tmp_path):
        pass


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadUse, match="can't be used: "), held_data_dir(tmp_path / "file"):
        pass
