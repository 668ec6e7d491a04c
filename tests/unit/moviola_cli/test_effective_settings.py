"""Which setting holds, and where it came from."""

from pathlib import Path

import pytest

from moviola_cli.effective_settings import effective_settings
from moviola_cli.outcome import BadUse


def lines(**flags: object) -> dict[str, tuple[str, str]]:
    preset = {"worker_capacity": 2, "drain_seconds": 10.0}
    effective = effective_settings(flags, command="moviola up", preset=preset)
    return {name: (value, origin) for name, value, origin in effective.lines()}


def test_a_flag_beats_the_environment_beats_the_command_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIOLA_PORT", "9000")
    monkeypatch.setenv("MOVIOLA_DRAIN_SECONDS", "3")
    monkeypatch.setenv("MOVIOLA_DATA_DIR", "/elsewhere")

    told = lines(data_dir=Path("/here"), host=None)

    assert told["data_dir"] == ("/here", "flag")
    assert told["port"] == ("9000", "environment")
    assert told["drain_seconds"] == ("3.0", "environment")
    assert told["worker_capacity"] == ("2", "moviola up")
    assert told["host"] == ("127.0.0.1", "default")


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIOLA_BUS_URL", "amqp://user:hidden@broker:5672/vhost")
    monkeypatch.setenv("MOVIOLA_STORAGE_URL", "s3:bucket")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")

    told = lines()

    assert told["bus_url"] == ("amqp://broker:5672/vhost", "environment")
    assert told["s3.secret_access_key"] == ("(set)", "environment")
    assert told["s3.region"] == ("us-east-1", "default")
    assert "hidden" not in str(told)


def test_s3_is_not_shown_where_it_is_not_used() -> None:
    assert not [name for name in lines() if name.startswith("s3")]


@pytest.mark.parametrize(
    ("variable", "value"), [("MOVIOLA_PORT", "many"), ("MOVIOLA_LOG_LEVEL", "loud"), ("S3_FORCE_PATH_STYLE", "perhaps")]
)
def test_a_bad_setting_is_named_as_it_is_typed(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BadUse, match=f"The setting {variable} is not valid: "):
        lines()
