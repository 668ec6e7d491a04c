"""Settings come from the environment alone, and a secret in a URL is never printed."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from moviola.infrastructure import open_infrastructure
from moviola.settings import Settings, redacted, scheme


def test_a_url_without_a_path_means_the_data_directory(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.database_path() == tmp_path / "moviola.db"
    assert settings.objects_path() == tmp_path / "objects"


def test_a_url_with_a_path_means_that_path() -> None:
    settings = Settings(database_url=SecretStr("sqlite:///var/m.db"), storage_url=SecretStr("file:///srv/objects"))
    assert settings.database_path() == Path("/var/m.db")
    assert settings.objects_path() == Path("/srv/objects")


def test_the_bucket_has_the_names_that_every_s3_tool_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("S3_BUCKET", "videos")
    monkeypatch.setenv("S3_FORCE_PATH_STYLE", "true")
    s3 = Settings().s3
    assert s3.bucket == "videos"
    assert s3.force_path_style
    assert "hidden" not in repr(Settings())


def test_a_driver_is_no_part_of_the_scheme() -> None:
    assert scheme(SecretStr("postgresql+asyncpg://u:p@db/moviola")) == "postgresql"


def test_a_password_is_not_printed() -> None:
    assert redacted(SecretStr("amqp://user:p@ss@host:5672/v")) == "amqp://host:5672/v"
    assert redacted(SecretStr("memory:")) == "memory:"


def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIOLA_LEASE_SECONDS", "-1")
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["bus_url", "database_url", "storage_url", "cache_url"])
async def test_an_unknown_scheme_is_named_with_the_known_ones(name: str) -> None:
    settings = Settings.model_validate({name: "gopher://x"})
    with pytest.raises(ValueError, match=rf"MOVIOLA_{name.upper()}.*'gopher'"):
        async with open_infrastructure(settings):
            pass
