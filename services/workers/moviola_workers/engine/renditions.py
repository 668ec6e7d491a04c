"""The files of an HLS package while they are written: one for each size of the picture, and one for the sound."""

from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from moviola.output import Output
from moviola.plan import Ladder, Rung
from moviola_workers.engine.encoders import PICTURE_RENDITION, SOUND_RENDITION
from moviola_workers.engine.result import Result

SOUND = "audio"


class Renditions:
    """Fragmented mp4s in ``directory``, open as long as the block is; ``grid`` are the seconds of a segment."""

    def __init__(self, ladder: Ladder, directory: Path) -> None:
        self.ladder = ladder
        self.directory = directory
        self.grid = Fraction(ladder.segment_seconds).limit_denominator(1000)
        self.output: Output = ladder.output
        self.rungs: tuple[Rung, ...] = ladder.rungs
        self.pictures: Mapping[str, Result] = {}
        self.sound: Result | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.directory.mkdir(exist_ok=True)
        with ExitStack() as stack:
            self.pictures = {
                rung.name: stack.enter_context(Result(self.picture_path(rung), "mp4", PICTURE_RENDITION))
                for rung in self.rungs
            }
            if self.ladder.sound:
                self.sound = stack.enter_context(Result(self.sound_path, "mp4", SOUND_RENDITION))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def picture_path(self, rung: Rung) -> Path:
        return self.directory / f"{rung.name}.mp4"

    @property
    def sound_path(self) -> Path:
        return self.directory / f"{SOUND}.m4a"
