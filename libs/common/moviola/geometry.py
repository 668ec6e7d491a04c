"""The geometry of a picture on its canvas: pure arithmetic in whole pixels."""

from typing import assert_never

from moviola.plan import Scale
from moviola.recipe import Resize


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
        return Scale(width=scaled[0], height=scaled[1], **even_canvas(*scaled))
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
        width=_scaled(width, factors[0]), height=_scaled(height, factors[1]), **even_canvas(step.width, step.height)
    )


def _scaled(side: int, factor: float) -> int:
    # Even, so that chroma of 4:2:0 pictures stays aligned when the picture is centred on its canvas.
    return max(2, round(side * factor / 2) * 2)


def even_canvas(width: int, height: int) -> dict[str, int]:
    """The largest canvas of even sides (at least 2 × 2) within *width* × *height*, as ``Scale`` takes it."""
    return {"canvas_width": max(2, width - width % 2), "canvas_height": max(2, height - height % 2)}
