"""Compile a recipe and the facts of a file into passes: as few encodes as the steps allow.

Pure: no I/O and no clock, so that the API can show what a recipe would cost before anything runs.

Consecutive editing steps (trim, resize, watermark, mute) share one decode and one encode, a ``render`` pass; an editing
step that stands alone goes to the worker of its own kind. With ``fusion=False`` every step is a pass of its own, each
reading what the one before it wrote. Muting alone copies packets where the file is already in the output's form; trims
alone, with or without muting, copy what lies between their borders where the file lets them.
Thumbnails look at the result, wherever they stand in the recipe.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import assert_never

from moviola.cutting import Anew, SmartCut, Standing, smart_cut
from moviola.errors import FieldError, InvalidRecipe
from moviola.geometry import even_canvas, fit
from moviola.overlays import overlay_of, trimmed_later
from moviola.plan import ORIGINAL, POSTER, RESULT, Edit, EditKind, Kind, Overlay, Pass, Plan, Poster, Scale, Span
from moviola.probe import Probe, Warning
from moviola.recipe import Mute, Output, Recipe, Resize, Thumbnails, Trim, Watermark
from moviola.spans import compose, wanted_ranges


@dataclass(frozen=True, slots=True)
class _Stand:
    """What the video is like at a place in the recipe."""

    width: int
    height: int
    duration: float
    in_form: bool  # already of the codec and container that the output asks for


Edits = Trim | Resize | Watermark | Mute


def compile_plan(recipe: Recipe | None, probe: Probe, *, fusion: bool = True) -> Plan:
    """The passes after probing; ``InvalidRecipe`` (``recipe.start_beyond_end``) where the recipe does not fit the file.

    No recipe: no passes.
    """
    if recipe is None:
        return Plan(passes=(), generations=0)
    compiler = _Compiler(recipe.output, probe)
    edits = [(index, step) for index, step in enumerate(recipe.steps) if not isinstance(step, Thumbnails)]
    if not recipe.steps:
        compiler.edit("render", [])
    elif fusion and len(edits) > 1:
        compiler.edit("render", edits)
    else:
        for index, edit in edits:
            compiler.edit(edit.step, [(index, edit)])
    for index, thumbnails in enumerate(recipe.steps):
        if isinstance(thumbnails, Thumbnails):
            compiler.poster(index, thumbnails)
    return compiler.plan()


class _Compiler:
    def __init__(self, output: Output, probe: Probe) -> None:
        self._output = output
        self._passes: list[Pass] = []
        self._warnings: list[Warning] = []
        self._source = ORIGINAL
        self._stand = _Stand(
            width=probe.video.display_width,
            height=probe.video.display_height,
            duration=probe.duration,
            in_form=probe.video.codec == output.video_codec,
        )
        self._probe = probe
        self._square = probe.video.sample_aspect_ratio in ("1:1", "0:1")

    def edit(self, kind: EditKind, steps: Sequence[tuple[int, Edits]]) -> None:
        edit = self._compile(steps)
        seconds = self._seconds_encoded(steps, edit)
        if seconds is not None:
            edit = edit.model_copy(update={"smart_cut": True})
        name = self._name(kind)
        self._passes.append(
            Pass(
                name=name,
                kind=kind,
                covers=tuple(index for index, _ in steps),
                source=self._source,
                files=(RESULT,),
                lossy=not edit.copy_packets and seconds != 0,
                encoded_seconds=seconds,
                parameters=edit,
            )
        )
        self._source = name
        self._stand = _Stand(width=edit.width, height=edit.height, duration=edit.duration, in_form=True)
        self._square = True

    def _seconds_encoded(self, steps: Sequence[tuple[int, Edits]], edit: Edit) -> float | None:
        """Of a smart cut, the seconds of picture that are encoded at most; None where all is done in another way."""
        if edit.spans is None or not all(isinstance(step, Trim | Mute) for _, step in steps):
            return None
        stands = Standing(original=self._source == ORIGINAL, square_and_even=not edit.picture)
        cut = smart_cut(edit.spans, self._probe, self._output, stands)
        match cut:
            case SmartCut():
                return cut.encoded_seconds
            case Anew():
                if cut.reason is not None:
                    message = f"The part is encoded anew: {cut.reason}."
                    self._warnings.append(Warning(code="plan.reencoded", message=message))
                return None

    def _compile(self, steps: Sequence[tuple[int, Edits]]) -> Edit:
        stand, mute = self._stand, False
        spans: tuple[Span, ...] | None = None
        picture: list[Scale | Overlay] = []
        copy_packets = self._can_copy(steps)
        if not copy_packets and not (stand.width % 2 == 0 and stand.height % 2 == 0 and self._square):
            even = Scale(width=stand.width, height=stand.height, **even_canvas(stand.width, stand.height))
            picture.append(even)
            stand = replace(stand, width=even.canvas_width, height=even.canvas_height)
        for index, step in steps:
            match step:
                case Trim():
                    picture = [trimmed_later(one, spans) if isinstance(one, Overlay) else one for one in picture]
                    kept = self._spans(index, step, stand.duration)
                    spans = kept if spans is None else tuple(compose(spans, kept))
                    stand = replace(stand, duration=sum(span.end - span.start for span in kept))
                case Resize():
                    scale = fit(step, stand.width, stand.height)
                    picture.append(scale)
                    stand = replace(stand, width=scale.canvas_width, height=scale.canvas_height)
                case Watermark():
                    picture.append(overlay_of(index, step, stand.duration))
                case Mute():
                    mute = True
                case _:
                    assert_never(step)
        return Edit(
            spans=spans,
            picture=tuple(picture),
            mute=mute,
            copy_packets=copy_packets,
            output=self._output,
            width=stand.width,
            height=stand.height,
            duration=stand.duration,
        )

    def _can_copy(self, steps: Sequence[tuple[int, Edits]]) -> bool:
        return bool(steps) and self._stand.in_form and all(isinstance(step, Mute) for _, step in steps)

    def _spans(self, index: int, step: Trim, duration: float) -> tuple[Span, ...]:
        spans = []
        for pointer, start, end in wanted_ranges(index, step, duration):
            if start >= duration:
                message = f"The trim starts at {start:g} s, but the video is only {duration:.3f} s long."
                error = FieldError(pointer=pointer, message=message, code="start_beyond_end")
                raise InvalidRecipe(message, [error], code="recipe.start_beyond_end")
            if end is not None and end > duration:
                self._warnings.append(
                    Warning(
                        code="recipe.end_clamped",
                        message=f"The trim's end at {end:g} s lies beyond the video's; {duration:.3f} s is taken.",
                    )
                )
            spans.append(Span(start=start, end=duration if end is None else min(end, duration)))
        return tuple(spans)

    def poster(self, index: int, step: Thumbnails) -> None:
        at = step.at
        if at is not None and at >= self._stand.duration:
            message = f"The poster's time {at:g} s lies beyond the result's end at {self._stand.duration:.3f} s."
            error = FieldError(pointer=f"/steps/{index}/at", message=message, code="start_beyond_end")
            raise InvalidRecipe(message, [error], code="recipe.start_beyond_end")
        self._passes.append(
            Pass(
                name=self._name("thumbnails"),
                kind="thumbnails",
                covers=(index,),
                source=self._source,
                files=(POSTER,),
                parameters=Poster(at=at),
            )
        )

    def _name(self, kind: Kind) -> str:
        taken = {one.name for one in self._passes}
        return next(name for n in count(1) if (name := kind if n == 1 else f"{kind}-{n}") not in taken)

    def plan(self) -> Plan:
        edits = [one.name for one in self._passes if isinstance(one.parameters, Edit)]
        passes = [
            # Only the last of a chain makes a file that the client sees.
            one.model_copy(update={"files": ()}) if one.name in edits[:-1] else one
            for one in self._passes
        ]
        return Plan(
            passes=tuple(passes),
            generations=sum(one.lossy for one in passes),
            partial=any(one.lossy for one in passes)
            and all(one.encoded_seconds is not None for one in passes if one.lossy),
            warnings=tuple(self._warnings),
        )
