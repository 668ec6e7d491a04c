"""What `moviola process` was asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviola.captions import Cue
from moviola.plan import HLS, POSTER, PREVIEW, RESULTS, STORYBOARD, is_result
from moviola.recipe import Recipe, Thumbnails


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
        """Where the file of that name shall be put; None: nowhere. A storyboard and a preview lie beside the output.

        A poster that nobody gave a place to does so too where the recipe makes nothing but stills.
        """
        if name.startswith(f"{HLS}/"):
            return self.hls / name.removeprefix(f"{HLS}/") if self.hls is not None else None
        if is_result(name):
            return self.output if self.output != self.hls else None
        if name == POSTER:
            return self.poster or (self.output.with_name(POSTER) if self.only_stills else None)
        beside = name == PREVIEW or name.startswith(Path(STORYBOARD).stem)
        return self.output.with_name(name) if beside else None

    @property
    def only_stills(self) -> bool:
        """The recipe edits nothing: there will be no output, only what lies beside it."""
        return bool(self.recipe.steps) and all(isinstance(step, Thumbnails) for step in self.recipe.steps)

    def places(self) -> Iterator[Path]:
        """All that will be written, as far as that is known before the video is."""
        products = {name for step in self.recipe.steps if isinstance(step, Thumbnails) for name in step.products}
        names = [RESULTS[self.recipe.output.container]] if not self.only_stills else []
        names += [POSTER] if "poster" in products else []
        names += [STORYBOARD, "storyboard.jpg"] if "storyboard" in products else []
        names += [PREVIEW] if "preview" in products else []
        yield from filter(None, map(self.place_of, names))
        if "storyboard" in products:
            yield from self.output.parent.glob("storyboard-*.jpg")
