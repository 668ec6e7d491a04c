"""The command as its user meets it: statuses, and one line for whatever is wrong."""

import ast
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moviola import __version__
from moviola_cli.main import main

MOVIOLA = Path(sys.executable).parent / "moviola"
COMMANDS = (
    *("up", "api", "orchestrator", "worker", "process", "sample", "submit", "list", "show"),
    *("watch", "cancel", "download", "explain", "history", "replay", "dead-letters", "doctor", "migrate", "schema"),
)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing may be on stdout."""
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"moviola: .+\n", told.err), told.err
    return told.err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"moviola {__version__}\n"


def test_help_names_each_command_and_each_has_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", told)
        assert main([command, "--help"]) == 0
        assert command in capsys.readouterr().out


def test_help_needs_none_of_the_drivers() -> None:
    modules = "av", "aiohttp", "sqlalchemy", "alembic", "aio_pika", "aioboto3", "redis", "transitions"
    program = f"""
import sys
from moviola_cli.main import main
main(["--help"])
sys.exit(",".join(name for name in {modules!r} if name in sys.modules) or 0)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "nonsense"),
        (["process", "in.mp4"], "output"),
        (["process", "missing.mp4", "-o", "out.mp4"], "There is no file missing.mp4."),
        (["process", ".", "-o", "out.mp4"], ". is not a file."),
        (["process", "in.mp4", "-o", "no/out.mp4"], "There is no directory no"),
        (["process", "in.mp4", "-o", "in.mp4", "-f"], "in.mp4 is the input itself"),
        (["process", "in.mp4", "-o", "there.mp4"], "there.mp4 exists; --force replaces it"),
        (["process", "in.mp4", "-o", "o.mp4", "--start", "soon"], "'soon' is not a time"),
        (["process", "in.mp4", "-o", "o.mp4", "--start", "9", "--end", "5"], "start must be before end"),
        (["process", "in.mp4", "-o", "o.mp4", "--height", "big"], "height"),
        (["process", "in.mp4", "-o", "o.mp4", "--fit", "cover"], "--width or --height"),
        (["process", "in.mp4", "-o", "o.mp4", "--recipe", "in.mp4"], "recipe can't be read"),
        (["process", "in.mp4", "-o", "o.mp4", "--recipe", "none"], "There is no recipe file none"),
        (["process", "in.mp4", "-o", "o.mp4", "--watermark-text", "x", "--watermark-image", "in.mp4"], "either"),
        (["submit", "missing.mp4"], "There is no file missing.mp4."),
        (["submit", "in.mp4", "--recipe", "no.json"], "There is no recipe file no.json"),
        (["list", "--url", "nowhere"], "is not the address of a server"),
        (["download", "v1", "-o", "there.mp4"], "there.mp4 exists"),
        (["schema", "nonsense"], "There is no schema 'nonsense'"),
    ],
)
def test_bad_use_is_one_line_and_status_2(
    arguments: list[str], sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "in.mp4").write_bytes(b"\x00" * 16)
    (here / "there.mp4").write_bytes(b"x")

    assert main(arguments) == 2

    assert sentence in complaint(capsys)
    assert sorted(path.name for path in here.iterdir()) == ["in.mp4", "there.mp4"]


def test_a_server_that_is_away_is_status_3_with_what_to_type(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    assert main(["list", "--url", url]) == 3

    line = complaint(capsys)
    assert url in line
    assert "`moviola up`" in line


def test_schema_of_one_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "recipe"]) == 0

    assert set(json.loads(capsys.readouterr().out)["properties"]) == {"version", "steps", "output"}


def test_schema_of_all_has_every_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0

    schemas = json.loads(capsys.readouterr().out)
    assert {"recipe", "task.render", "video.submitted", "task.succeeded"} <= schemas.keys()


def test_an_unexpected_error_is_one_line_too(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("moviola_cli.sample.make", explode)

    assert main(["sample", "x.mp4"]) == 1
    assert complaint(capsys) == "moviola: unexpected RuntimeError: two lines (MOVIOLA_LOG_LEVEL=debug shows where)\n"


HELP = """
import sys
from moviola_cli.main import main
status = main(["--help"])
print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""
SLOW_TO_IMPORT = {"pydantic", "sqlalchemy", "aiohttp", "aio_pika", "aioboto3", "av", "PIL", "transitions", "redis"}


def test_help_comes_at_once() -> None:
    """What takes long to import is imported by the command that needs it."""
    told = subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True, text=True, timeout=120)

    assert "reprocess" in told.stdout
    assert SLOW_TO_IMPORT & set(ast.literal_eval(told.stderr)) == set()


@pytest.mark.parametrize(
    "arguments",
    [["redrive"], ["redrive", "--all", "an-id"], ["discard"], ["discard", "an-id", "--queue", "moviola.ingest"]],
)
def test_dead_letters_are_named_or_all_are_meant(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dead-letters", *arguments]) == 2
    assert "say --all" in complaint(capsys)


@pytest.mark.parametrize("at", ["yesterday", "2026-01-02T12:04:05"])
def test_a_time_that_is_none_or_has_no_zone_is_refused(at: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "an-id", "--at", at, "--url", "http://127.0.0.1:1"]) == 2
    assert at in complaint(capsys)
