"""From a watermark of a recipe to what an engine lays over the picture: places and times as numbers. Pure.

A trim that follows in the same pass is moved in front of everything. What is seen for a time only then has its times on
the source's clock, where they stay exact to the frame whatever the trim drops.
"""

from collections.abc import Sequence

from moviola.errors import FieldError, InvalidRecipe
from moviola.marking import Place
from moviola.plan import Overlay, Span, Spot, Window
from moviola.recipe import Watermark
from moviola.spans import before_trimming


def overlay_of(index: int, step: Watermark, duration: float) -> Overlay:
    """The overlay for the step at *index* on a video of *duration* seconds.

    ``InvalidRecipe`` (``recipe.start_beyond_end``) where it would begin behind the video's end.
    """
    if step.start is not None and step.start >= duration:
        message = f"The watermark starts at {step.start:g} s, but the video is only {duration:.3f} s long there."
        error = FieldError(pointer=f"/steps/{index}/start", message=message, code="start_beyond_end")
        raise InvalidRecipe(message, [error], code="recipe.start_beyond_end")
    return Overlay(
        text=step.text,
        image=step.image,
        font=step.font,
        color=step.color,
        outline=step.outline,
        position=step.position,
        x=_spot(step.x),
        y=_spot(step.y),
        margin=step.margin,
        opacity=step.opacity,
        scale=step.scale,
        tile=step.tile,
        spacing=step.spacing,
        windows=_windows(step, duration),
        fade=step.fade,
    )


def _windows(step: Watermark, duration: float) -> tuple[Window, ...] | None:
    if step.start is None and step.end is None and not step.fade:
        return None
    start = step.start or 0.0
    return (Window(start=start, end=step.end, appears=start, vanishes=duration if step.end is None else step.end),)


def _spot(place: Place | None) -> Spot | None:
    if place is None:
        return None
    if isinstance(place, int):
        return Spot(pixels=abs(place), far=place < 0)
    return Spot(share=float(place.strip("-%")) / 100, far=place.startswith("-"))


def trimmed_later(overlay: Overlay, spans: Sequence[Span] | None) -> Overlay:
    """The overlay of a picture that ``spans`` (None: all) were kept of, when another trim is to follow in the pass."""
    if overlay.windows is None or overlay.clock == "source":
        return overlay
    windows = overlay.windows
    if spans is not None:
        windows = tuple(piece for window in windows for piece in before_trimming(window, spans))
    return overlay.model_copy(update={"windows": windows, "clock": "source"})
