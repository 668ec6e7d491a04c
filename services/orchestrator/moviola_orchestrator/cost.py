"""What a pass is expected to cost, before it is done: what API keys share the workers by.

The unit is one second of 1080p that is encoded. Only the proportions count: an estimate that is wrong for everybody in
the same way is fair.
"""

from moviola.plan import Edit, Measure, Pass, Scale
from moviola.probe import Probe

_UNIT_PIXELS = 1920 * 1080
# Copying packets costs about a twentieth of encoding them, decoding the sound alone still less.
COPY = 0.05
SOUND = 0.01
# Opening a file and looking at a few frames; nothing is for free.
LOOK = 0.5


def cost_of(one: Pass, probe: Probe | None) -> float:
    """Pixels × seconds, of the larger of source and result; at least that of a look into the file."""
    match one.parameters:
        case Edit():
            return LOOK + _edit(one, one.parameters, probe)
        case Measure():
            return LOOK + SOUND * max(0.0, one.parameters.duration)
        case _:
            return LOOK


def _edit(one: Pass, edit: Edit, probe: Probe | None) -> float:
    seconds = max(0.0, edit.duration)
    encoded = 0.0 if edit.copy_packets else seconds
    if one.encoded_seconds is not None:
        encoded = min(encoded, one.encoded_seconds)
    return (encoded + COPY * (seconds - encoded)) * _pixels(edit, probe) / _UNIT_PIXELS


def _pixels(edit: Edit, probe: Probe | None) -> int:
    sizes = [edit.width * edit.height]
    sizes += [one.canvas_width * one.canvas_height for one in edit.picture if isinstance(one, Scale)]
    if probe is not None and probe.video is not None:
        sizes.append(probe.video.width * probe.video.height)
    return max(sizes)
