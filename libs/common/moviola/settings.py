"""Settings from the environment: `MOVIOLA_…`, and for S3 the names that every S3 tool knows.

A URL's scheme picks the adapter: `memory:` or `amqp://`, `sqlite:` or `postgresql://`, `file:` or `s3:`, `memory:` or
`redis://`. `sqlite:` and `file:` without a path mean the data directory.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class S3Settings(BaseSettings):
    """Where the bucket is. Without keys the SDK's own chain (instance role, profile) is asked."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    access_key_id: SecretStr | None = Field(default=None, validation_alias="AWS_ACCESS_KEY_ID")
    secret_access_key: SecretStr | None = Field(default=None, validation_alias="AWS_SECRET_ACCESS_KEY")
    region: str = Field(default="us-east-1", validation_alias="AWS_REGION")
    bucket: str = Field(default="moviola", validation_alias="S3_BUCKET")
    endpoint: str | None = Field(default=None, validation_alias="S3_ENDPOINT")
    force_path_style: bool = Field(default=False, validation_alias="S3_FORCE_PATH_STYLE")
    checksums: Literal["when_supported", "when_required"] = Field(
        default="when_required", validation_alias="S3_CHECKSUMS"
    )


class Settings(BaseSettings):
    """All times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="MOVIOLA_", frozen=True, extra="ignore")

    bus_url: SecretStr = SecretStr("memory:")
    database_url: SecretStr = SecretStr("sqlite:")
    storage_url: SecretStr = SecretStr("file:")
    cache_url: SecretStr = SecretStr("memory:")
    data_dir: Path = Path(".moviola")
    scratch_dir: Path | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    # Without API keys only loopback is served; true where a private network, as of containers, keeps strangers out.
    trust_network: bool = False
    # RabbitMQ user -> tenant, as JSON, for what producers submit; everybody else's is the tenant "default".
    ingest_tenants: dict[str, str] = Field(default_factory=dict)
    max_upload_bytes: int = Field(default=20 * 1024**3, gt=0)

    # True where endpoints of webhooks may lie in the own network, and need not speak TLS.
    webhook_allow_private: bool = False

    fusion: bool = True
    # Take over what an equal pass, of whatever video of the tenant, has made already.
    step_cache: bool = True
    # For tests of what a machine's death does: where the process kills itself.
    crash_at: str | None = None
    lease_seconds: float = Field(default=30.0, gt=0)
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    progress_seconds: float = Field(default=0.4, gt=0)
    sweep_seconds: float = Field(default=5.0, gt=0)
    unclaimed_seconds: float = Field(default=60.0, gt=0)
    worker_silent_seconds: float = Field(default=15.0, gt=0)
    drain_seconds: float = Field(default=60.0, ge=0)
    deadline_seconds: float = Field(default=12 * 3600.0, gt=0)
    retry_tries: int = Field(default=8, ge=1)
    retry_base_seconds: float = Field(default=1.0, gt=0)
    retry_cap_seconds: float = Field(default=300.0, gt=0)
    crash_tries: int = Field(default=3, ge=1)
    # A worker that fails so many tasks in a row gets none for so long.
    quarantine_failures: int = Field(default=5, ge=1)
    quarantine_seconds: float = Field(default=60.0, ge=0)
    worker_capacity: int = Field(default=1, ge=1)
    encoder_threads: int = Field(default=0, ge=0)
    max_memory_bytes: int = Field(default=8 * 1024**3, gt=0)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    s3: S3Settings = Field(default_factory=S3Settings)

    def database_path(self) -> Path:
        """Where SQLite's file is: the URL's path, or the data directory's."""
        return Path(_path(self.database_url)) if _path(self.database_url) else self.data_dir / "moviola.db"

    def objects_path(self) -> Path:
        """Where the local store's files are: the URL's path, or the data directory's."""
        return Path(_path(self.storage_url)) if _path(self.storage_url) else self.data_dir / "objects"

    def scratch_path(self) -> Path:
        """Where tasks have their private directories; beside the local store, so that files can be linked."""
        return self.scratch_dir or self.data_dir / "scratch"


def scheme(url: SecretStr) -> str:
    """The scheme of a URL, without a driver (``postgresql+asyncpg`` is ``postgresql``)."""
    return url.get_secret_value().partition(":")[0].partition("+")[0]


def redacted(url: SecretStr) -> str:
    """The URL fit for a log: without user and password."""
    before, separator, after = url.get_secret_value().partition("://")
    return f"{before}{separator}{after.rpartition('@')[2]}" if separator else before


def _path(url: SecretStr) -> str:
    _, _, rest = url.get_secret_value().partition(":")
    return rest.removeprefix("//")
