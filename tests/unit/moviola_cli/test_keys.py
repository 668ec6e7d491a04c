"""`moviola keys`: made once and shown once, listed without the secret, revoked for good."""

import json
from pathlib import Path

import pytest

from moviola_cli.main import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["keys", *arguments]) == status, capsys.readouterr().err
    output = capsys.readouterr()
    return output.out if status == 0 else output.err


def test_a_key_is_shown_once_listed_without_it_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    secret = said(capsys, "create", "phone", "--days", "30", "--data-dir", "data").strip()
    made = json.loads(said(capsys, "create", "boss", "--admin", "--tenant", "acme", "--json", "--data-dir", "data"))

    listed = [line.split("\t") for line in said(capsys, "list", "--data-dir", "data").splitlines()]
    assert [(one[1], one[3], one[4], one[6]) for one in listed] == [
        ("acme", "good", "admin", "boss"),
        ("default", "good", "-", "phone"),
    ]
    assert secret.startswith(listed[1][2].removesuffix("…"))
    assert secret not in said(capsys, "list", "--json", "--data-dir", "data")

    said(capsys, "revoke", made["id"], "--tenant", "acme", "--data-dir", "data")
    assert "revoked" in said(capsys, "list", "--data-dir", "data").splitlines()[0]


def test_a_key_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "revoke", "none", status=2).startswith("moviola: The tenant default has no key none")


@pytest.mark.parametrize("arguments", [["create", " "], ["create", "x", "--tenant", "../x"]])
def test_bad_use_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert said(capsys, *arguments, status=2).count("\n") == 1
