"""Progress in a pipe and on a terminal."""

import io
import sys

import pytest

from moviola_cli.progress_display import label, progress_display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_plain_lines_at_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display() as display:
        for done in (0.0, 0.05, 0.11, 0.12, 0.5, 0.99, 1.0, 1.0):
            display.update("render", done)
        display.say("done")

    assert capsys.readouterr().err.splitlines() == [
        "render 0%",
        "render 11%",
        "render 50%",
        "render 99%",
        "render 100%",
        "done",
    ]


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    with progress_display() as display:
        display.update("render", 0.5)
        display.say("[a line]")

    assert "\x1b[" in terminal.getvalue()
    assert "━" in terminal.getvalue()
    assert "[a line]" in terminal.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")

    with progress_display() as display:
        display.update("render", 0.5)

    assert "render" in terminal.getvalue()
    assert "\x1b[3" not in terminal.getvalue()


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display(quiet=True) as display:
        display.update("render", 0.5)
        display.say("line")

    assert capsys.readouterr().err == ""


def test_a_pass_is_labelled_with_its_steps_where_it_has_several() -> None:
    assert label("render", ["trim", "resize"]) == "render (trim, resize)"
    assert label("mute", ["mute"]) == "mute"
