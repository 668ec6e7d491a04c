"""Compile a recipe and the facts of a file into passes: as few encodes as the steps allow.

Pure: no I/O and no clock, so that the API can show what a recipe would cost before anything runs.

Consecutive editing steps (trim, resize, watermark, mute, downmix, normalize) share one decode and one encode, a
``render`` pass; an editing step that stands alone goes to the worker of its own kind. With ``fusion=False`` every step
is a pass of its own, each reading what the one before it wrote. Steps that only touch the sound copy the picture's
packets where the file is already in the output's form; one that normalizes has the sound measured first, by a pass of
its own. Trims, alone or with such steps, copy what lies between their borders where the file lets them. Thumbnails
look at the result, wherever they stand in the recipe. Where a
video is made, the last pass verifies it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, assert_never

from moviola.cutting import Anew, SmartCut, Standing, smart_cut
from moviola.errors import FieldError, InvalidRecipe
from moviola.expecting import verification_of
from moviola.geometry import even_canvas, fit
from moviola.output import takes
from moviola.overlays import overlay_of, trimmed_later
from moviola.plan import (
    LOUDNESS,
    ORIGINAL,
    RESULTS,
    Edit,
    EditKind,
    Kind,
    Measure,
    Overlay,
    Pass,
    Plan,
    Scale,
    SoundWork,
    Span,
)
from moviola.probe import Probe, Warning
from moviola.recipe import Downmix, Mute, Normalize, Recipe, Resize, Thumbnails, Trim, Watermark
from moviola.sounding import Edits, SoundStand, warnings_about, work_on
from moviola.spans import compose, wanted_ranges
from moviola.stills import Seen, stills_of


@dataclass(frozen=True, slots=True)
class _Stand:
    """What the video is like at a place in the recipe."""

    width: int
    height: int
    duration: float
    in_form: bool  # the picture is already of the codec that the output asks for
    sound: SoundStand | None


def compile_plan(recipe: Recipe | None, probe: Probe, *, fusion: bool = True) -> Plan:
    """The passes after probing; ``InvalidRecipe`` (``recipe.start_beyond_end``) where the recipe does not fit the file.

    No recipe: no passes.
    """
    if recipe is None:
        return Plan(passes=(), generations=0)
    compiler = _Compiler(recipe, probe)
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
            compiler.stills(index, thumbnails)
    compiler.verify()
    return compiler.plan()


class _Compiler:
    def __init__(self, recipe: Recipe, probe: Probe) -> None:
        self._output = recipe.output
        self._muted = any(isinstance(step, Mute) for step in recipe.steps)
        self._passes: list[Pass] = []
        self._warnings: list[Warning] = []
        self._source = ORIGINAL
        self._stand = _Stand(
            width=probe.video.display_width,
            height=probe.video.display_height,
            duration=probe.duration,
            in_form=probe.video.codec == recipe.output.video_codec,
            sound=SoundStand(codec=probe.audio[0].codec, channels=probe.audio[0].channels) if probe.audio else None,
        )
        self._probe = probe
        self._square = probe.video.sample_aspect_ratio in ("1:1", "0:1")

    def edit(self, kind: EditKind, steps: Sequence[tuple[int, Edits]]) -> None:
        before = self._stand.sound
        alone = [step for _, step in steps]
        self._warnings.extend(warnings_about(alone, before, muted=self._muted))
        edit = self._compile(steps, work_on(alone, before, muted=self._muted))
        needs: tuple[str, ...] = ()
        if edit.sound is not None and edit.sound.target is not None:
            wanted = Measure(
                spans=edit.spans, channels=edit.sound.channels, target=edit.sound.target, duration=edit.duration
            )
            needs = (self._measure(wanted, steps),)
            edit = edit.model_copy(update={"sound": edit.sound.model_copy(update={"measured": needs[0]})})
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
                needs=needs,
                files=(RESULTS[self._output.container],),
                lossy=not edit.copy_packets and seconds != 0,
                encoded_seconds=seconds,
                sound=_fate(edit, before),
                parameters=edit,
            )
        )
        self._source = name
        self._stand = _Stand(
            width=edit.width,
            height=edit.height,
            duration=edit.duration,
            in_form=True,
            sound=_made(edit, before),
        )
        self._square = True

    def _seconds_encoded(self, steps: Sequence[tuple[int, Edits]], edit: Edit) -> float | None:
        """Of a smart cut, the seconds of picture that are encoded at most; None where all is done in another way."""
        if edit.spans is None or not all(isinstance(step, Trim | Mute | Downmix | Normalize) for _, step in steps):
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

    def _measure(self, wanted: Measure, steps: Sequence[tuple[int, Edits]]) -> str:
        """Have the sound measured that the edit will make, before it is made; the pass's name."""
        name = self._name("measure")
        self._passes.append(
            Pass(
                name=name,
                kind="measure",
                covers=tuple(index for index, step in steps if isinstance(step, Normalize)),
                source=self._source,
                files=(LOUDNESS,),
                parameters=wanted,
            )
        )
        return name

    def _compile(self, steps: Sequence[tuple[int, Edits]], sound: SoundWork | None) -> Edit:
        stand, mute = self._stand, False
        spans: tuple[Span, ...] | None = None
        picture: list[Scale | Overlay] = []
        copy_packets = self._can_copy(steps)
        if not copy_packets and not (stand.width % 2 == 0 and stand.height % 2 == 0 and self._square):
            # A picture of one pixel grows to two; of every other odd side the last line is left out.
            width, height = max(2, stand.width), max(2, stand.height)
            even = Scale(width=width, height=height, **even_canvas(width, height))
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
                case Downmix() | Normalize():
                    pass  # they are in `sound` already
                case _:
                    assert_never(step)
        if not copy_packets:
            self._refuse_unfit(stand)
        return Edit(
            spans=spans,
            picture=tuple(picture),
            mute=mute,
            sound=sound,
            copy_packets=copy_packets,
            output=self._output,
            width=stand.width,
            height=stand.height,
            duration=stand.duration,
        )

    def _can_copy(self, steps: Sequence[tuple[int, Edits]]) -> bool:
        sound_only = all(isinstance(step, Mute | Downmix | Normalize) for _, step in steps)
        return bool(steps) and self._stand.in_form and sound_only

    def _refuse_unfit(self, stand: _Stand) -> None:
        codec = self._output.video_codec
        if not takes(codec, stand.width, stand.height):
            message = f"A picture of {stand.width}×{stand.height} pixels can't be encoded as {codec}."
            error = FieldError(pointer="/output/video_codec", message=message, code="size_unfit")
            raise InvalidRecipe(message, [error], code="recipe.size_unfit")

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

    def stills(self, index: int, step: Thumbnails) -> None:
        """Each product by a pass of its own: they run side by side, and one that fails is retried alone."""
        seen = Seen(width=self._stand.width, height=self._stand.height, duration=self._stand.duration)
        for still in stills_of(index, step, seen, self._warnings):
            one = Pass(
                name=still.name,
                kind="thumbnails",
                covers=(index,),
                source=self._source,
                files=still.files,
                parameters=still.parameters,
            )
            self._passes.append(one)

    def _name(self, kind: Kind) -> str:
        taken = {one.name for one in self._passes}
        return next(name for n in count(1) if (name := kind if n == 1 else f"{kind}-{n}") not in taken)

    def verify(self) -> None:
        """Behind all the others: what they made is looked at before anybody is told that it is ready."""
        verify = verification_of(self._passes, self._probe)
        if verify is not None:
            needs = tuple(image.resource for image in verify.images)
            self._passes.append(
                Pass(name=self._name("verify"), kind="verify", source=self._source, needs=needs, parameters=verify)
            )

    def plan(self) -> Plan:
        edits = [one.name for one in self._passes if isinstance(one.parameters, Edit)]
        measures = [one.name for one in self._passes if isinstance(one.parameters, Measure)]
        passes = [
            # Only the last of a chain makes a file that the client sees.
            one.model_copy(update={"files": ()}) if one.name in (*edits[:-1], *measures[:-1]) else one
            for one in self._passes
        ]
        return Plan(
            passes=tuple(passes),
            generations=sum(one.lossy for one in passes),
            partial=any(one.lossy for one in passes)
            and all(one.encoded_seconds is not None for one in passes if one.lossy),
            sound_generations=sum(one.sound == "encoded" for one in passes),
            warnings=tuple(self._warnings),
        )


def _fate(edit: Edit, sound: SoundStand | None) -> Literal["copied", "encoded", "dropped"] | None:
    if sound is None:
        return None
    if edit.mute:
        return "dropped"
    same = edit.spans is None and edit.sound is None and sound.codec == edit.output.audio_codec
    return "copied" if same else "encoded"


def _made(edit: Edit, sound: SoundStand | None) -> SoundStand | None:
    """The sound that the edit leaves; the engine keeps mono and 5.1 and makes all else stereo."""
    if sound is None or edit.mute:
        return None
    channels = (edit.sound.channels if edit.sound else None) or sound.channels
    return SoundStand(codec=edit.output.audio_codec, channels=channels if channels in (1, 6) else 2)
