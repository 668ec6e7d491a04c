"""Which renditions an HLS package has: never larger than the picture that is packaged, and of its shape. Pure."""

import re
from collections.abc import Iterator, Sequence

from moviola.errors import FieldError, InvalidRecipe
from moviola.geometry import fit
from moviola.output import HOLDS, Output, takes
from moviola.packaging import Package
from moviola.plan import CaptionTrack, Ladder, Rung, Span
from moviola.probe import Warning
from moviola.recipe import Resize

# The shorter sides that a ladder goes down by, where the recipe names no heights; each well below the one above.
USUAL = (1080, 720, 480, 360, 240)
STEP, MOST_USUAL = 0.8, 4


def ladder_of(
    step: Package, size: tuple[int, int], output: Output, *, kept: Sequence[Span] | None = None
) -> tuple[Ladder, tuple[Warning, ...]]:
    """The ladder for a picture of that (even) size, without sound, and what was not done as the recipe has it."""
    form = hls_form(output)
    warnings: list[Warning] = []
    sizes = list(_wanted(step, size, warnings))
    fit_for_codec = [one for one in sizes if takes(form.video_codec, *one)]
    if not fit_for_codec:
        raise _unfit(form, size)
    if len(fit_for_codec) < len(sizes):
        message = f"The smallest renditions are left out: {form.video_codec} can't have them."
        warnings.append(Warning(code="recipe.rendition_unfit", message=message))
    made = Ladder(
        rungs=tuple(Rung(name=f"{height}p", width=width, height=height) for width, height in fit_for_codec),
        segment_seconds=step.segment_seconds,
        output=form,
        sound=False,
        captions=tuple(
            CaptionTrack(language=one.language, label=one.label or one.language, resource=one.file)
            for one in step.captions
        ),
        kept=tuple(kept) if kept is not None else None,
    )
    return made, tuple(warnings)


def hls_form(output: Output) -> Output:
    """In which codecs the renditions are: the recipe's own, where fMP4 has them, else H.264; the sound is AAC."""
    if output.video_codec in HOLDS["mp4"].video:
        return Output(video_codec=output.video_codec, quality=output.quality, preset=output.preset)
    return Output(preset=output.preset)


def sharing(ladder: Ladder, size: tuple[int, int], output: Output) -> Ladder:
    """The ladder for the pass that makes the result, too: a rendition that is encoded like it shares its packets."""
    same_codec = ladder.output.video_codec == output.video_codec
    rungs = (
        rung.model_copy(update={"shared": same_codec and (rung.width, rung.height) == size}) for rung in ladder.rungs
    )
    return ladder.model_copy(update={"rungs": tuple(rungs)})


def known_language(said: str | None) -> str | None:
    """What a file says of its sound's language, where that is a code of ISO 639 and not "undetermined"."""
    return said if said is not None and re.fullmatch(r"[a-z]{2,3}", said) and said != "und" else None


def _wanted(step: Package, size: tuple[int, int], warnings: list[Warning]) -> Iterator[tuple[int, int]]:
    """Sizes from the largest down, each height once."""
    if step.heights is None:
        yield from _usual(size)
        return
    seen: set[int] = set()
    for height in sorted(step.heights, reverse=True):
        if height > size[1]:
            message = f"The rendition of height {height} is left out: the picture has {size[1]} lines."
            warnings.append(Warning(code="recipe.rendition_above_source", message=message))
            continue
        made = _scaled(Resize(height=height), size)
        if made[1] not in seen:
            seen.add(made[1])
            yield made
    if not seen:
        yield size


def _usual(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    yield size
    short, count = min(size), 1
    above = short
    for side in USUAL:
        if count < MOST_USUAL and side <= above * STEP:
            above, count = side, count + 1
            yield _scaled(Resize(height=side) if size[1] <= size[0] else Resize(width=side), size)


def _scaled(step: Resize, size: tuple[int, int]) -> tuple[int, int]:
    scale = fit(step, *size)
    return min(scale.canvas_width, size[0]), min(scale.canvas_height, size[1])


def _unfit(form: Output, size: tuple[int, int]) -> InvalidRecipe:
    message = f"A picture of {size[0]}×{size[1]} pixels can't be encoded as {form.video_codec}."
    error = FieldError(pointer="/output/video_codec", message=message, code="size_unfit")
    return InvalidRecipe(message, [error], code="recipe.size_unfit")
