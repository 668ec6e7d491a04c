"""Compile a recipe and the facts of a file into passes: as few encodes as the steps allow.

Pure: no I/O and no clock, so that the API can show what a recipe would cost before anything runs.

Consecutive editing steps (trim, resize, watermark, mute) share one decode and one encode, a ``render`` pass; an editing
step that stands alone goes to the worker of its own kind. With ``fusion=False`` every step is a pass of its own, each
reading what the one before it wrote. Muting alone copies packets where the file is already in the output's form.
Thumbnails look at the result, wherever they stand in the recipe.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from moviola.errors import FieldError, InvalidRecipe
from moviola.probe import Probe, Warning
from moviola.recipe import Mute, Output, Position, Recipe, Resize, Thumbnails, TimeRange, Trim, Watermark

EditKind = Literal["trim", "resize", "watermark", "mute", "render"]
Kind = Literal["probe", "trim", "resize", "watermark", "mute", "render", "thumbnails"]
KINDS: tuple[Kind, ...] = ("probe", "trim", "resize", "watermark", "mute", "render", "thumbnails")
ORIGINAL = "original"
RESULT = "result.mp4"
POSTER = "poster.jpg"


class Planned(BaseModel):
    """Part of a plan: frozen, stored as JSON, sent to workers as it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Span(Planned):
    """From ``start`` (inclusive) to ``end`` (exclusive), in seconds on the clock of the pass's source."""

    start: float
    end: float


class Scale(Planned):
    """Scale the upright picture to ``width`` × ``height`` pixels, then centre it on the canvas.

    Where the picture is larger than the canvas it is cropped, where smaller the rest is black. The canvas is even.
    """

    operation: Literal["scale"] = "scale"
    width: int
    height: int
    canvas_width: int
    canvas_height: int


class Overlay(Planned):
    """Lay a text, or the image that the task's resource of the name ``image`` holds, over the picture."""

    operation: Literal["overlay"] = "overlay"
    text: str | None = None
    image: str | None = None
    position: Position
    margin: int
    opacity: float
    scale: float | None = None


Operation = Annotated[Scale | Overlay, Field(discriminator="operation")]


class Edit(Planned):
    """What an editing pass does: keep ``spans`` (None: all), then ``picture`` in order; ``mute`` drops the sound.

    ``copy_packets`` means that no frame is decoded. The picture is made upright before the first operation.
    ``width`` × ``height`` and ``duration`` are the result's.
    """

    task: Literal["edit"] = "edit"
    spans: tuple[Span, ...] | None = None
    picture: tuple[Operation, ...] = ()
    mute: bool = False
    copy_packets: bool = False
    output: Output = Output()
    width: int
    height: int
    duration: float


class Poster(Planned):
    """Cut ``poster.jpg`` at the second ``at`` of the source; None: the best of a few candidates."""

    task: Literal["poster"] = "poster"
    at: float | None = None


class ReadFacts(Planned):
    """Read the facts of the file."""

    task: Literal["probe"] = "probe"


Parameters = Annotated[Edit | Poster | ReadFacts, Field(discriminator="task")]


class Pass(Planned):
    """One piece of work for one worker queue.

    ``name`` is unique in the plan. ``covers`` are indices into the recipe's steps. ``source`` is ``"original"`` or the
    name of the pass whose (only) output it reads. ``files`` are the names that the client will see; a pass in the
    middle of a chain has none. ``lossy`` says that it encodes the picture anew.
    """

    name: str
    kind: Kind
    covers: tuple[int, ...] = ()
    source: str = ORIGINAL
    files: tuple[str, ...] = ()
    lossy: bool = False
    parameters: Parameters


class Plan(Planned):
    """Passes in their order; ``generations`` counts the lossy encodes between the original and the result."""

    passes: tuple[Pass, ...]
    generations: int
    warnings: tuple[Warning, ...] = ()

    def named(self, name: str) -> Pass:
        """The pass of that name; ``KeyError`` where there is none."""
        for one in self.passes:
            if one.name == name:
                return one
        raise KeyError(name)


PROBE_PASS = Pass(name="probe", kind="probe", parameters=ReadFacts())


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
        self._square = probe.video.sample_aspect_ratio in ("1:1", "0:1")

    def edit(self, kind: EditKind, steps: Sequence[tuple[int, Edits]]) -> None:
        edit = self._compile(steps)
        name = self._name(kind)
        self._passes.append(
            Pass(
                name=name,
                kind=kind,
                covers=tuple(index for index, _ in steps),
                source=self._source,
                files=(RESULT,),
                lossy=not edit.copy_packets,
                parameters=edit,
            )
        )
        self._source = name
        self._stand = _Stand(width=edit.width, height=edit.height, duration=edit.duration, in_form=True)
        self._square = True

    def _compile(self, steps: Sequence[tuple[int, Edits]]) -> Edit:
        stand, mute = self._stand, False
        spans: tuple[Span, ...] | None = None
        picture: list[Scale | Overlay] = []
        copy_packets = self._can_copy(steps)
        if not copy_packets and not (stand.width % 2 == 0 and stand.height % 2 == 0 and self._square):
            even = Scale(width=stand.width, height=stand.height, **_canvas(stand.width, stand.height))
            picture.append(even)
            stand = replace(stand, width=even.canvas_width, height=even.canvas_height)
        for index, step in steps:
            match step:
                case Trim():
                    kept = self._spans(index, step, stand.duration)
                    spans = kept if spans is None else tuple(_compose(spans, kept))
                    stand = replace(stand, duration=sum(span.end - span.start for span in kept))
                case Resize():
                    scale = fit(step, stand.width, stand.height)
                    picture.append(scale)
                    stand = replace(stand, width=scale.canvas_width, height=scale.canvas_height)
                case Watermark():
                    picture.append(_overlay(step))
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
        for pointer, start, end in _wanted(index, step, duration):
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
            warnings=tuple(self._warnings),
        )


def _wanted(index: int, step: Trim, duration: float) -> Iterator[tuple[str, float, float | None]]:
    """Pointer, start and end of each range to keep."""
    pointer = f"/steps/{index}"
    if step.keep is not None:
        for number, span in enumerate(step.keep):
            yield f"{pointer}/keep/{number}/start", span.start, span.end
    elif step.cut is not None:
        kept = [(start, end) for start, end in _gaps(step.cut, duration) if start < end]
        # Nothing left is asked for as a range that starts at the end, and refused like one.
        for start, end in kept or [(duration, duration)]:
            yield f"{pointer}/cut", start, end
    else:
        yield f"{pointer}/start", step.start or 0.0, step.end


def _gaps(cut: Sequence[TimeRange], duration: float) -> Iterator[tuple[float, float]]:
    """What lies before, between and behind the ranges; may hold empty ones."""
    position = 0.0
    for span in cut:
        yield position, min(span.start, duration)
        position = duration if span.end is None else span.end
    yield position, duration


def fit(step: Resize, width: int, height: int) -> Scale:
    """The geometry of a resize from ``width`` × ``height``: the scaled picture and its canvas, both in whole pixels.

    With one side given the other follows the picture's shape, and the canvas is the picture; a picture that would have
    to grow keeps its size unless ``upscale``. With both given the canvas is exact (rounded down to even).
    """
    if step.width is None or step.height is None:
        factor = step.width / width if step.width is not None else (step.height or height) / height
        if factor > 1 and not step.upscale:
            factor = 1.0
        scaled = _scaled(width, factor), _scaled(height, factor)
        return Scale(width=scaled[0], height=scaled[1], **_canvas(*scaled))
    across, down = step.width / width, step.height / height
    match step.fit:
        case "contain":
            factors = (min(across, down),) * 2
        case "cover":
            factors = (max(across, down),) * 2
        case "stretch":
            factors = (across, down)
        case _:
            assert_never(step.fit)
    if not step.upscale:
        factors = min(factors[0], 1.0), min(factors[1], 1.0)
    return Scale(
        width=_scaled(width, factors[0]), height=_scaled(height, factors[1]), **_canvas(step.width, step.height)
    )


def _scaled(side: int, factor: float) -> int:
    # Even, so that chroma of 4:2:0 pictures stays aligned when the picture is centred on its canvas.
    return max(2, round(side * factor / 2) * 2)


def _canvas(width: int, height: int) -> dict[str, int]:
    return {"canvas_width": max(2, width - width % 2), "canvas_height": max(2, height - height % 2)}


def _overlay(step: Watermark) -> Overlay:
    return Overlay(
        text=step.text,
        image=step.image,
        position=step.position,
        margin=step.margin,
        opacity=step.opacity,
        scale=step.scale,
    )


def _compose(first: Sequence[Span], then: Sequence[Span]) -> Iterator[Span]:
    """The spans on the first trim's source clock that are left when ``then`` trims its result."""
    for wanted in then:
        position = 0.0
        for span in first:
            length = span.end - span.start
            low, high = max(wanted.start, position), min(wanted.end, position + length)
            if low < high:
                yield Span(start=span.start + low - position, end=span.start + high - position)
            position += length
