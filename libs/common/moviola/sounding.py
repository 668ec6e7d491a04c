"""What the steps of a recipe mean for the sound. Pure.

In whatever order they stand: muting wins over all else, and the sound is mixed down before it is normalized, so that
the result is as loud as was asked for. Of two targets the last one counts, of two mixes the smaller one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moviola.plan import SoundWork
from moviola.probe import Warning
from moviola.recipe import Downmix, Mute, Normalize, Resize, Trim, Watermark

Edits = Trim | Resize | Watermark | Mute | Downmix | Normalize


@dataclass(frozen=True, slots=True)
class SoundStand:
    """The sound at a place in the recipe: its codec and how many channels it has."""

    codec: str
    channels: int


def work_on(steps: Sequence[Edits], sound: SoundStand | None, *, muted: bool) -> SoundWork | None:
    """What *steps* do to *sound*; None: nothing. ``muted``: it is dropped, here or later."""
    if sound is None or muted:
        return None
    wanted = [step.channels for step in steps if isinstance(step, Downmix)]
    channels = min(wanted, default=sound.channels)
    targets = [step.target for step in steps if isinstance(step, Normalize)]
    if channels >= sound.channels and not targets:
        return None
    return SoundWork(channels=channels if channels < sound.channels else None, target=targets[-1] if targets else None)


def warnings_about(steps: Sequence[Edits], sound: SoundStand | None, *, muted: bool) -> Iterator[Warning]:
    """Why steps that change the sound do nothing."""
    for step in steps:
        if not isinstance(step, Downmix | Normalize):
            continue
        if muted:
            yield Warning(code="recipe.muted", message=f"The sound is removed, so {step.step} does nothing.")
        elif sound is None:
            yield Warning(code="recipe.no_sound", message=f"The video has no sound to {step.step}.")
        elif isinstance(step, Downmix) and step.channels >= sound.channels:
            what = "mono" if sound.channels == 1 else f"of {sound.channels} channels"
            yield Warning(code="recipe.nothing_to_downmix", message=f"The sound is {what} already; it stays so.")
