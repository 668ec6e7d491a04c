"""The flag `--captions en=subs.srt`: a language, and the file that has the captions in it."""

from collections.abc import Sequence
from pathlib import Path

from moviola_cli.outcome import BadUse


def captions_by_language(given: Sequence[str] | None) -> dict[str, Path]:
    """The files, each there, by their language; ``BadUse``. Whether a language is one, the recipe finds out."""
    files: dict[str, Path] = {}
    for text in given or ():
        language, equals, name = text.partition("=")
        if not equals or not language or not name:
            raise BadUse(f"{text!r} names no captions; give a language and a file: en=subs.srt.")
        if language in files:
            raise BadUse(f"The captions in {language} are given twice.")
        if not Path(name).is_file():
            raise BadUse(f"There is no file {name}.")
        files[language] = Path(name)
    return files
