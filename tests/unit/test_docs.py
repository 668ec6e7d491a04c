"""The documents say what the code does."""

import re
from pathlib import Path

from moviola.settings import S3Settings, Settings

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_every_setting_is_documented() -> None:
    page = (DOCS / "operations.md").read_text()
    names = {f"MOVIOLA_{name.upper()}" for name in Settings.model_fields if name != "s3"}
    names |= {str(field.validation_alias) for field in S3Settings.model_fields.values()}
    shortened = {"MOVIOLA_RETRY_BASE_SECONDS", "MOVIOLA_RETRY_CAP_SECONDS"}
    assert {name for name in names - shortened if f"`{name}`" not in page} == set()


def test_every_documented_setting_exists() -> None:
    page = (DOCS / "operations.md").read_text()
    known = {f"MOVIOLA_{name.upper()}" for name in Settings.model_fields} | {"MOVIOLA_API_KEY"}  # of the client
    assert set(re.findall(r"MOVIOLA_[A-Z_]+", page)) - known == set()


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    pages = [page.name for page in (DOCS / "decisions").glob("0*.md")]
    assert [page for page in pages if page not in listed] == []
