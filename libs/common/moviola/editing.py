"""What consecutive editing steps make of a video as it stands: the numbers of one editing pass. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, assert_never

from moviola.errors import FieldError, InvalidRecipe
from moviola.geometry import even_canvas, fit
from moviola.output import Output, takes
from moviola.overlays import overlay_of, trimmed_later
from moviola.plan import HLS, ORIGINAL, RESULTS, Edit, Overlay, Pass, Scale, SoundWork, Span, edit_and_ladder
from moviola.probe import Probe, Warning
from moviola.recipe import Downmix, Mute, Normalize, Resize, Trim, Watermark
from moviola.sounding import Edits, SoundStand
from moviola.spans import compose, wanted_ranges


@dataclass(frozen=True, slots=True)
class Stand:
    """What the video is like at a place in the recipe.

    ``in_form``: the picture is already of the codec that the output asks for; ``square``: its pixels are.
    """

    width: int
    height: int
    duration: float
    in_form: bool
    square: bool
    sound: SoundStand | None

    @classmethod
    def of(cls, probe: Probe, output: Output) -> Self:
        """The original."""
        return cls(
            width=probe.video.display_width,
            height=probe.video.display_height,
            duration=probe.duration,
            in_form=probe.video.codec == output.video_codec,
            square=probe.video.sample_aspect_ratio in ("1:1", "0:1"),
            sound=SoundStand(codec=probe.audio[0].codec, channels=probe.audio[0].channels) if probe.audio else None,
        )

    @classmethod
    def after(cls, edit: Edit, sound: SoundStand | None) -> Self:
        """What *edit* makes of a video with that *sound*."""
        return cls(
            width=edit.width,
            height=edit.height,
            duration=edit.duration,
            in_form=True,
            square=True,
            sound=_made(edit, sound),
        )


def compile_edit(
    steps: Sequence[tuple[int, Edits]], stand: Stand, output: Output, sound: SoundWork | None, *, copying: bool = True
) -> tuple[Edit, tuple[Warning, ...]]:
    """One edit for *steps*, each with its index in the recipe; ``InvalidRecipe`` where they don't fit the video.

    It copies packets where the steps allow it, unless *copying* is not wanted.
    """
    warnings: list[Warning] = []
    spans: tuple[Span, ...] | None = None
    picture: list[Scale | Overlay] = []
    copy_packets = copying and _can_copy(steps, stand)
    if not copy_packets and not (stand.width % 2 == 0 and stand.height % 2 == 0 and stand.square):
        # A picture of one pixel grows to two; of every other odd side the last line is left out.
        width, height = max(2, stand.width), max(2, stand.height)
        even = Scale(width=width, height=height, **even_canvas(width, height))
        picture.append(even)
        stand = replace(stand, width=even.canvas_width, height=even.canvas_height)
    for index, step in steps:
        match step:
            case Trim():
                picture = [trimmed_later(one, spans) if isinstance(one, Overlay) else one for one in picture]
                kept = _spans(index, step, stand.duration, warnings)
                spans = kept if spans is None else tuple(compose(spans, kept))
                stand = replace(stand, duration=sum(span.end - span.start for span in kept))
            case Resize():
                scale = fit(step, stand.width, stand.height)
                picture.append(scale)
                stand = replace(stand, width=scale.canvas_width, height=scale.canvas_height)
            case Watermark():
                picture.append(overlay_of(index, step, stand.duration))
            case Mute() | Downmix() | Normalize():
                pass  # muting is asked below, the others are in `sound` already
            case _:
                assert_never(step)
    if not copy_packets:
        _refuse_unfit(stand, output)
    made = Edit(
        spans=spans,
        picture=tuple(picture),
        mute=any(isinstance(step, Mute) for _, step in steps),
        sound=sound,
        copy_packets=copy_packets,
        output=output,
        width=stand.width,
        height=stand.height,
        duration=stand.duration,
    )
    return made, tuple(warnings)


def _can_copy(steps: Sequence[tuple[int, Edits]], stand: Stand) -> bool:
    sound_only = all(isinstance(step, Mute | Downmix | Normalize) for _, step in steps)
    return bool(steps) and stand.in_form and sound_only


def _refuse_unfit(stand: Stand, output: Output) -> None:
    codec = output.video_codec
    if not takes(codec, stand.width, stand.height):
        message = f"A picture of {stand.width}×{stand.height} pixels can't be encoded as {codec}."
        error = FieldError(pointer="/output/video_codec", message=message, code="size_unfit")
        raise InvalidRecipe(message, [error], code="recipe.size_unfit")


def _spans(index: int, step: Trim, duration: float, warnings: list[Warning]) -> tuple[Span, ...]:
    spans = []
    for pointer, start, end in wanted_ranges(index, step, duration):
        if start >= duration:
            message = f"The trim starts at {start:g} s, but the video is only {duration:.3f} s long."
            error = FieldError(pointer=pointer, message=message, code="start_beyond_end")
            raise InvalidRecipe(message, [error], code="recipe.start_beyond_end")
        if end is not None and end > duration:
            message = f"The trim's end at {end:g} s lies beyond the video's; {duration:.3f} s is taken."
            warnings.append(Warning(code="recipe.end_clamped", message=message))
        spans.append(Span(start=start, end=duration if end is None else min(end, duration)))
    return tuple(spans)


def generations(passes: Sequence[Pass]) -> dict[str, int]:
    """How often the picture is encoded anew on its way to the last result, and to the HLS package."""
    made: dict[str, int] = {ORIGINAL: 0}
    costs: dict[str, int] = {}
    for one in passes:
        cost = made[one.name] = made[one.source] + one.lossy
        if isinstance(one.parameters, Edit):
            costs[RESULTS[one.parameters.output.container]] = cost
        if edit_and_ladder(one.parameters)[1] is not None:
            costs[HLS] = cost
    return costs


def fate_of_sound(edit: Edit, sound: SoundStand | None) -> Literal["copied", "encoded", "dropped"] | None:
    """What becomes of it in the edit; None where there is none."""
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
