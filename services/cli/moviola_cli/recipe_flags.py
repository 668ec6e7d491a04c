"""From flags to a recipe: flags alone mean just those steps; over a recipe they replace what its steps say. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moviola.output import HOLDS
from moviola.recipe import STEP_NAMES, Recipe, parse_recipe
from moviola_cli.outcome import BadUse

EDITS = ("trim", "resize", "watermark", "mute", "downmix", "normalize")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFlags:
    """What the user gave; None or False: not given. ``image`` is the stored watermark's id; times in seconds.

    ``webm``: the name of the output asks for that container, should the codecs leave it open. ``captions`` are what a
    recipe calls the files, by language. ``result``: a video is expected, whatever else is made.
    """

    start: float | None = None
    end: float | None = None
    width: int | None = None
    height: int | None = None
    fit: str | None = None
    text: str | None = None
    image: str | None = None
    position: str | None = None
    margin: int | None = None
    opacity: float | None = None
    scale: float | None = None
    color: str | None = None
    mute: bool = False
    downmix: int | None = None
    normalize: float | None = None
    video_codec: str | None = None
    webm: bool = False
    poster: bool = False
    storyboard: bool = False
    preview: bool = False
    hls: bool = False
    heights: tuple[int, ...] | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    result: bool = False


def parse_time(text: str) -> float:
    """Seconds (``90.5``) or a clock (``1:30.5``, ``0:01:30``); ``BadUse``."""
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    try:
        return float(text)
    except ValueError as error:
        raise BadUse(f"{text!r} is not a time; give seconds (90.5) or a clock (1:30.5).") from error


def compose_recipe(flags: RecipeFlags, base: Recipe | None = None) -> Recipe:
    """The recipe that *flags* mean, laid over *base*; ``BadUse`` and ``InvalidRecipe``."""
    document: dict[str, Any] = base.model_dump(mode="json", exclude_none=True) if base else {"version": 1, "steps": []}
    steps: list[dict[str, Any]] = document["steps"]
    _override(steps, "trim", {"start": flags.start, "end": flags.end}, drops={"keep", "cut"})
    _override(steps, "resize", {"width": flags.width, "height": flags.height, "fit": flags.fit})
    _override(steps, "watermark", _mark(flags), drops=_mark_drops(flags))
    if flags.mute:
        _add(steps, {"step": "mute"})
    _override(steps, "downmix", {"channels": flags.downmix})
    _override(steps, "normalize", {"target": flags.normalize})
    _ask_for_stills(steps, flags)
    _package(steps, flags)
    packaged = any(step["step"] == "package" for step in steps)
    if flags.result and packaged and not any(step["step"] in EDITS for step in steps):
        # What only looks at a video makes none. All of it, its packets copied where they can be, is one.
        steps.insert(0, {"step": "trim", "start": 0.0})
    _refuse_lonely(steps)
    _choose_form(document, flags, base)
    return parse_recipe(document)


def _package(steps: list[dict[str, Any]], flags: RecipeFlags) -> None:
    if flags.hls or flags.heights or flags.captions:
        _add(steps, {"step": "package"})
    _override(steps, "package", {"heights": flags.heights})
    found = next((step for step in steps if step["step"] == "package"), {})
    for language, name in flags.captions.items():
        captions: list[dict[str, Any]] = found.setdefault("captions", [])
        same = next((one for one in captions if one["language"].lower() == language.lower()), None)
        if same is None:
            captions.append({"language": language, "file": name})
        else:
            same["file"] = name


def parse_heights(text: str) -> tuple[int, ...]:
    """Heights by comma (``720,480``); ``BadUse``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise BadUse(f"{text!r} are no heights; give pixels by comma: 720,480.") from error


def _mark(flags: RecipeFlags) -> dict[str, Any]:
    names = ("text", "image", "position", "margin", "opacity", "scale", "color")
    return {name: getattr(flags, name) for name in names}


def _mark_drops(flags: RecipeFlags) -> set[str]:
    """What a recipe's watermark may not keep beside what the flags say."""
    drops: set[str] = set()
    if flags.text is not None:
        drops.add("image")
    if flags.image is not None:
        drops |= {"text", "font", "color", "outline"}
    if flags.position is not None:
        drops |= {"x", "y"}
    return drops


def _override(
    steps: list[dict[str, Any]], name: str, given: Mapping[str, Any], *, drops: set[str] | None = None
) -> None:
    wanted = {key: value for key, value in given.items() if value is not None}
    if not wanted:
        return
    found = next((step for step in steps if step["step"] == name), None)
    if found is None:
        _add(steps, {"step": name, **wanted})
        return
    for key in drops or ():
        found.pop(key, None)
    found.update(wanted)


def _add(steps: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """Unless a step of that name is there: before the first step that usually comes later."""
    if any(step["step"] == new["step"] for step in steps):
        return
    rank = STEP_NAMES.index(new["step"])
    place = next((i for i, step in enumerate(steps) if STEP_NAMES.index(step["step"]) > rank), len(steps))
    steps.insert(place, new)


def _ask_for_stills(steps: list[dict[str, Any]], flags: RecipeFlags) -> None:
    """What a recipe says of a still beyond asking for it stays as it is."""
    asked = {"poster": flags.poster, "storyboard": flags.storyboard, "preview": flags.preview}
    wanted = [name for name, wish in asked.items() if wish]
    found = next((step for step in steps if step["step"] == "thumbnails"), None)
    if wanted and found is None:
        _add(steps, {"step": "thumbnails", **asked})
    elif found is not None:
        missing = [name for name in wanted if not any(step.get(name) for step in steps if step is not found)]
        found.update({name: True for name in missing if not found.get(name)})


def _choose_form(document: dict[str, Any], flags: RecipeFlags, base: Recipe | None) -> None:
    """A codec by flag takes its usual container, sound and quality along, but for what the base says that fits it."""
    said: dict[str, Any] = document.get("output", {})
    if flags.video_codec is not None:
        kept = {"preset": said["preset"]} if said else {}
        if base is not None and flags.video_codec in HOLDS[base.output.container].video:
            kept |= {"container": base.output.container}
            if flags.video_codec == base.output.video_codec:
                kept |= {"quality": base.output.quality}
        document["output"] = said = {"video_codec": flags.video_codec, **kept}
    if flags.webm and base is None:
        document["output"] = {"container": "webm", **said}


def _refuse_lonely(steps: Sequence[Mapping[str, Any]]) -> None:
    for step in steps:
        if step["step"] == "resize" and not {"width", "height"} & step.keys():
            raise BadUse("--fit says how a picture is fitted: give --width or --height too.")
        if step["step"] == "watermark" and not {"text", "image"} & step.keys():
            raise BadUse("A watermark's flags need something to lay: give --watermark-text or --watermark-image too.")
