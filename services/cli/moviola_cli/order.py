"""What `moviola process` was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moviola.plan import POSTER, is_result
from moviola.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made of what; ``watermarks`` are the images by the id that the recipe names."""

    source: Path
    output: Path
    poster: Path | None
    recipe: Recipe
    watermarks: Mapping[str, Path] = field(default_factory=dict)

    def place_of(self, name: str) -> Path | None:
        """Where the file of that name shall be put; None: nowhere."""
        return self.output if is_result(name) else self.poster if name == POSTER else None
