"""What `moviola process` was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviola.captions import Cue
from moviola.plan import HLS, POSTER, is_result
from moviola.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made of what; ``watermarks`` are the images, ``captions`` the cues by the id that the recipe names.

    ``hls`` is the directory of an HLS package; where that is the ``output``, the video itself is put nowhere.
    """

    source: Path
    output: Path
    poster: Path | None
    recipe: Recipe
    hls: Path | None = None
    watermarks: Mapping[str, Path] = field(default_factory=dict)
    captions: Mapping[str, Sequence[Cue]] = field(default_factory=dict)

    def place_of(self, name: str) -> Path | None:
        """Where the file of that name shall be put; None: nowhere."""
        if name.startswith(f"{HLS}/"):
            return self.hls / name.removeprefix(f"{HLS}/") if self.hls is not None else None
        if is_result(name):
            return self.output if self.output != self.hls else None
        return self.poster if name == POSTER else None
