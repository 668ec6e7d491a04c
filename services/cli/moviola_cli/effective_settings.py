"""The settings as a command runs with them, and where each came from."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr, ValidationError

from moviola.settings import S3Settings, Settings, redacted, scheme
from moviola_cli.outcome import BadUse


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """``origins`` says for each setting: ``flag``, ``environment``, ``default``, or the command whose default it is."""

    settings: Settings
    origins: Mapping[str, str]

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and origin of each; URLs without their passwords, S3 only where it is used."""
        for name in Settings.model_fields:
            if name != "s3":
                yield name, _shown(getattr(self.settings, name)), self.origins[name]
        if scheme(self.settings.storage_url) == "s3":
            for name, field in S3Settings.model_fields.items():
                origin = "environment" if str(field.validation_alias) in os.environ else "default"
                yield f"s3.{name}", _secretly(getattr(self.settings.s3, name)), origin


def effective_settings(
    flags: Mapping[str, object], *, command: str = "default", preset: Mapping[str, object] | None = None
) -> EffectiveSettings:
    """*flags* (None: not given) over the environment over *command*'s own *preset* over the defaults; ``BadUse``."""
    given = {name: value for name, value in flags.items() if value is not None}
    environment = {name.lower() for name in os.environ}
    from_environment = {name for name in Settings.model_fields if f"moviola_{name}" in environment}
    presets = {name: value for name, value in (preset or {}).items() if name not in from_environment | given.keys()}
    try:
        settings = Settings(**{**presets, **given})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise BadUse(_complaint(error)) from error
    origins = dict.fromkeys(Settings.model_fields, "default")
    origins |= dict.fromkeys(presets, command)
    origins |= dict.fromkeys(from_environment, "environment")
    origins |= dict.fromkeys(given, "flag")
    return EffectiveSettings(settings, origins)


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    s3_names = {str(field.validation_alias) for field in S3Settings.model_fields.values()}
    variable = name if name in s3_names else f"MOVIOLA_{name}"
    return f"The setting {variable} is not valid: {first['msg']}."


def _shown(value: object) -> str:
    return redacted(value) if isinstance(value, SecretStr) else "-" if value is None else str(value)


def _secretly(value: object) -> str:
    return "(set)" if isinstance(value, SecretStr) else _shown(value)
