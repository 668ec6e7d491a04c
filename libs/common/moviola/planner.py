"""Compile a recipe and the facts of a file into passes: as few encodes as the steps allow.

Pure: no I/O and no clock, so that the API can show what a recipe would cost before anything runs.

Consecutive editing steps (trim, resize, watermark, mute, downmix, normalize) share one decode and one encode, a
``render`` pass; an editing step that stands alone goes to the worker of its own kind. With ``fusion=False`` every step
is a pass of its own, each reading what the one before it wrote. Steps that only touch the sound copy the picture's
packets where the file is already in the output's form; one that normalizes has the sound measured first, by a pass of
its own. Trims, alone or with such steps, copy what lies between their borders where the file lets them. Thumbnails
look at the result, wherever they stand in the recipe. Where a video is made, the last pass verifies it.

An HLS package shows the result too. Where that is encoded anew, the renditions come out of the same pass; where its
packets are copied, a pass of their own makes them out of the same source, so that they cost one generation as well.
"""

from collections.abc import Sequence
from itertools import count

from moviola.cutting import Anew, SmartCut, Standing, smart_cut
from moviola.editing import Stand, compile_edit, fate_of_sound, generations
from moviola.expecting import verification_of
from moviola.ladder import known_language, ladder_of, sharing
from moviola.plan import (
    HLS,
    LOUDNESS,
    ORIGINAL,
    RESULTS,
    Edit,
    EditKind,
    Kind,
    Ladder,
    Measure,
    Pass,
    Plan,
    SoundWork,
    Span,
)
from moviola.plan import Package as PackageWork
from moviola.probe import Probe, Warning
from moviola.recipe import Downmix, Mute, Normalize, Package, Recipe, Thumbnails, Trim
from moviola.sounding import Edits, warnings_about, work_on
from moviola.spans import compose
from moviola.stills import Seen, stills_of


def compile_plan(recipe: Recipe | None, probe: Probe, *, fusion: bool = True) -> Plan:
    """The passes after probing; ``InvalidRecipe`` (``recipe.start_beyond_end``) where the recipe does not fit the file.

    No recipe: no passes.
    """
    if recipe is None:
        return Plan(passes=(), generations=0)
    compiler = _Compiler(recipe, probe)
    edits = [(index, step) for index, step in enumerate(recipe.steps) if not isinstance(step, Thumbnails | Package)]
    package = next(((index, step) for index, step in enumerate(recipe.steps) if isinstance(step, Package)), None)
    if not recipe.steps:
        compiler.edit("render", [])
    elif fusion and edits:
        compiler.edit("render" if len(edits) > 1 else edits[0][1].step, edits, package)
    else:
        for index, edit in edits:
            compiler.edit(edit.step, [(index, edit)])
        if package is not None:
            compiler.package(package)
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
        self._stand = Stand.of(probe, recipe.output)
        self._probe = probe
        self._kept: tuple[Span, ...] | None = None

    def edit(
        self, kind: EditKind, steps: Sequence[tuple[int, Edits]], package: tuple[int, Package] | None = None
    ) -> None:
        """One pass for *steps*; with what makes the *package*, the same pass or one more."""
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
        if edit.spans is not None:
            self._kept = edit.spans if self._kept is None else tuple(compose(self._kept, edit.spans))
        covers, files = [index for index, _ in steps], [RESULTS[self._output.container]]
        beside: list[Pass] = []
        if package is not None:
            if edit.copy_packets or seconds is not None:
                beside = [self._packaging(package, self._anew(edit, steps), needs)]
            else:
                ladder = sharing(self._ladder(package[1], edit), (edit.width, edit.height), self._output)
                edit = edit.model_copy(update={"ladder": ladder})
                kind, covers, files = "render", [*covers, package[0]], [*files, *ladder.files]
        if seconds is not None:
            edit = edit.model_copy(update={"smart_cut": True})
        name = self._name(kind)
        self._passes.append(
            Pass(
                name=name,
                kind=kind,
                covers=tuple(covers),
                source=self._source,
                needs=needs,
                files=tuple(files),
                lossy=not edit.copy_packets and seconds != 0,
                encoded_seconds=seconds,
                sound=fate_of_sound(edit, before),
                parameters=edit,
            )
        )
        self._passes.extend(beside)
        self._source = name
        self._stand = Stand.after(edit, before)

    def package(self, package: tuple[int, Package]) -> None:
        """A pass of its own, out of what was made so far."""
        self._passes.append(self._packaging(package, self._compile([], None), ()))

    def _packaging(self, package: tuple[int, Package], edit: Edit, needs: tuple[str, ...]) -> Pass:
        index, step = package
        ladder = self._ladder(step, edit)
        edit = edit.model_copy(update={"output": ladder.output})
        return Pass(
            name=self._name("package"),
            kind="package",
            covers=(index,),
            source=self._source,
            needs=needs,
            files=ladder.files,
            lossy=True,
            sound=fate_of_sound(edit, self._stand.sound),
            parameters=PackageWork(edit=edit, ladder=ladder),
        )

    def _ladder(self, step: Package, edit: Edit) -> Ladder:
        """The ladder for what *edit* makes of the sound and the picture as they stand now."""
        ladder, warnings = ladder_of(step, (edit.width, edit.height), self._output, kept=self._kept)
        self._warnings.extend(warnings)
        sound = self._stand.sound is not None and not edit.mute
        language = known_language(self._probe.audio[0].language) if sound else None
        return ladder.model_copy(update={"sound": sound, "sound_language": language})

    def _anew(self, edit: Edit, steps: Sequence[tuple[int, Edits]]) -> Edit:
        """What *edit* copies, encoded; its sound is worked on in the same way."""
        if not edit.copy_packets:
            return edit
        made = self._compile(steps, edit.sound, copying=False)
        return made.model_copy(update={"sound": edit.sound})

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

    def _compile(self, steps: Sequence[tuple[int, Edits]], sound: SoundWork | None, *, copying: bool = True) -> Edit:
        edit, warnings = compile_edit(steps, self._stand, self._output, sound, copying=copying)
        self._warnings.extend(warnings)
        return edit

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
        costs = generations(self._passes)
        passes = [
            # Only the last of a chain makes a file that the client sees.
            one.model_copy(update={"files": ()}) if one.name in (*edits[:-1], *measures[:-1]) else one
            for one in self._passes
        ]
        chain = [one for one in passes if one.name in edits] or passes
        return Plan(
            passes=tuple(passes),
            generations=sum(one.lossy for one in chain),
            generations_of=costs if HLS in costs else {},
            partial=any(one.lossy for one in chain)
            and all(one.encoded_seconds is not None for one in chain if one.lossy),
            sound_generations=sum(one.sound == "encoded" for one in chain),
            warnings=tuple(self._warnings),
        )
