"""What a recipe was compiled into: passes, and the numbers that each of them works with. Frozen data, stored as JSON
and sent to workers as it is; `moviola.planner` makes it.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from moviola.marking import Color, Font, Outline, Position
from moviola.output import Container
from moviola.probe import Warning
from moviola.quality import Verify
from moviola.recipe import Output

EditKind = Literal["trim", "resize", "watermark", "mute", "downmix", "normalize", "render"]
Kind = Literal[
    "probe", "trim", "resize", "watermark", "mute", "downmix", "normalize", "measure", "render", "package",
    "thumbnails", "verify",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "probe", "trim", "resize", "watermark", "mute", "downmix", "normalize", "measure", "render", "package",
    "thumbnails", "verify",
)  # fmt: skip
ORIGINAL = "original"
RESULT = "result.mp4"
RESULTS: Mapping[Container, str] = {"mp4": RESULT, "webm": "result.webm"}
POSTER = "poster.jpg"
STORYBOARD = "storyboard.vtt"
PREVIEW = "preview.webp"
LOUDNESS = "loudness.json"
HLS = "hls"
MASTER = f"{HLS}/master.m3u8"
# Their answer is what they found: they make no file.
FINDINGS_ONLY: frozenset[Kind] = frozenset({"probe", "verify"})


def is_result(name: str) -> bool:
    """Whether a file of that name is the edited video itself."""
    return name in RESULTS.values()


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


class Spot(Planned):
    """Where a mark begins: ``pixels`` plus ``share`` of the side from the near edge; ``far``: from the other one."""

    pixels: int = 0
    share: float = 0.0
    far: bool = False


class Window(Planned):
    """When a mark is seen: from ``start`` (inclusive) to ``end`` (exclusive; None: to the end).

    It begins to fade in at ``appears`` and is faded out at ``vanishes``: beyond the window where the window is what a
    trim left of a longer one.
    """

    start: float
    end: float | None
    appears: float
    vanishes: float


class Overlay(Planned):
    """Lay a text, or the image that the task's resource of the name ``image`` holds, over the picture.

    ``x`` and ``y``, where given, stand for ``position`` and ``margin``. ``windows`` None: always seen. Their seconds
    are the result's, or with ``clock`` ``"source"`` those of the pass's source, where a trim follows in the same pass.
    """

    operation: Literal["overlay"] = "overlay"
    text: str | None = None
    image: str | None = None
    font: Font = "bold"
    color: Color = "#ffffff"
    outline: Outline = Outline()
    position: Position
    x: Spot | None = None
    y: Spot | None = None
    margin: int
    opacity: float
    scale: float | None = None
    tile: bool = False
    spacing: float = 1.0
    windows: tuple[Window, ...] | None = None
    fade: float = 0.0
    clock: Literal["result", "source"] = "result"


Operation = Annotated[Scale | Overlay, Field(discriminator="operation")]


class SoundWork(Planned):
    """Mix the sound down to ``channels``, then bring it to ``target`` LUFS; None: leave that as it is.

    With a target, the task's resource of the name ``measured`` says how loud the sound was found to be.
    """

    channels: int | None = None
    target: float | None = None
    measured: str | None = None


class Rung(Planned):
    """A rendition of ``width`` × ``height``; ``shared``: its packets are those of the result in the same pass."""

    name: str
    width: int
    height: int
    shared: bool = False


class CaptionTrack(Planned):
    """Captions, of which the task's resource of the name ``resource`` has the cues on the original's clock."""

    language: str
    label: str
    resource: str


class Ladder(Planned):
    """The renditions of an HLS package, the largest first, with key frames at the same times in all of them.

    Whoever makes them makes all of ``files``, of which the first is the master playlist. ``sound`` says that there is
    some, in ``sound_language`` where that is known. ``kept`` are the seconds of the original that the result shows
    (None: all); captions are moved along.
    """

    rungs: tuple[Rung, ...]
    segment_seconds: float
    output: Output
    sound: bool
    sound_language: str | None = None
    captions: tuple[CaptionTrack, ...] = ()
    kept: tuple[Span, ...] | None = None

    @property
    def files(self) -> tuple[str, ...]:
        names = ["master.m3u8"]
        for rung in self.rungs:
            names += [f"{rung.name}.m3u8", f"{rung.name}-iframes.m3u8", f"{rung.name}.mp4"]
        names += ["audio.m3u8", "audio.m4a"] if self.sound else []
        for track in self.captions:
            names += [f"captions-{track.language}.m3u8", f"captions-{track.language}.vtt"]
        return tuple(f"{HLS}/{name}" for name in names)


class Edit(Planned):
    """What an editing pass does: keep ``spans`` (None: all), then ``picture`` in order; ``mute`` drops the sound.

    ``copy_packets`` means that no picture is decoded; ``sound`` may be worked on all the same. ``smart_cut`` means that
    the spans are cut by copying packets, and only the frames at their borders are encoded anew; a worker that finds the
    file unfit encodes all. What is encoded is made upright before the first operation, what is copied keeps its
    header's rotation. ``width`` × ``height`` and ``duration`` are the result's. With a ``ladder`` the same decode and
    filters also make the renditions of an HLS package.
    """

    task: Literal["edit"] = "edit"
    spans: tuple[Span, ...] | None = None
    picture: tuple[Operation, ...] = ()
    mute: bool = False
    sound: SoundWork | None = None
    copy_packets: bool = False
    smart_cut: bool = False
    output: Output = Output()
    width: int
    height: int
    duration: float
    ladder: Ladder | None = None


class Package(Planned):
    """Make an HLS package of what ``edit`` makes of the source, by one decode; the edit's own result is not kept."""

    task: Literal["package"] = "package"
    edit: Edit
    ladder: Ladder


class Measure(Planned):
    """Measure the loudness of the sound in ``spans`` (None: all), mixed down to ``channels``: ``loudness.json``.

    It also says which gain leads to ``target`` LUFS.
    """

    task: Literal["measure"] = "measure"
    spans: tuple[Span, ...] | None = None
    channels: int | None = None
    target: float
    duration: float


class Poster(Planned):
    """Cut ``poster.jpg`` at the second ``at`` of the source; None: the best of a few candidates.

    It is at most ``width`` × ``height``, and never larger than the picture on the screen.
    """

    task: Literal["poster"] = "poster"
    at: float | None = None
    width: int | None = None
    height: int | None = None


class Storyboard(Planned):
    """Stills at every ``interval`` seconds of the source, ``cells`` of them, and the WebVTT that says which is when.

    Each is ``width`` × ``height``; ``columns`` × ``rows`` of them fill a sprite. ``duration`` is the source's.
    """

    task: Literal["storyboard"] = "storyboard"
    interval: float
    cells: int
    columns: int
    rows: int
    width: int
    height: int
    duration: float


class Preview(Planned):
    """An animation of ``scenes``, one after the other and for ever, ``width`` × ``height`` at most."""

    task: Literal["preview"] = "preview"
    scenes: tuple[Span, ...]
    frames_per_second: float
    width: int
    height: int


class ReadFacts(Planned):
    """Read the facts of the file."""

    task: Literal["probe"] = "probe"


Parameters = Annotated[
    Edit | Package | Measure | Poster | Storyboard | Preview | ReadFacts | Verify, Field(discriminator="task")
]


def edit_and_ladder(parameters: Parameters) -> tuple[Edit | None, Ladder | None]:
    """What is done with the picture by those parameters, and which renditions come of it."""
    match parameters:
        case Edit():
            return parameters, parameters.ladder
        case Package():
            return parameters.edit, parameters.ladder
        case _:
            return None, None


class Pass(Planned):
    """One piece of work for one worker queue.

    ``name`` is unique in the plan. ``covers`` are indices into the recipe's steps. ``source`` is ``"original"`` or the
    name of the pass whose first output it reads; ``needs`` names passes whose only outputs it reads besides, as the
    task's resources of those names. ``files`` are the names that the client will see; a pass in the middle of a chain
    has none. ``lossy`` says that it encodes the picture anew: all of it, or, where ``encoded_seconds`` is given, at
    most so many seconds at the borders of a cut, the rest being copied. ``sound`` says what becomes of the sound, where
    it has one.
    """

    name: str
    kind: Kind
    covers: tuple[int, ...] = ()
    source: str = ORIGINAL
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    lossy: bool = False
    encoded_seconds: float | None = None
    sound: Literal["copied", "encoded", "dropped"] | None = None
    parameters: Parameters

    @property
    def images(self) -> tuple[str, ...]:
        """The stored images that it lays over the picture, as the task's resources of those names."""
        edit, _ = edit_and_ladder(self.parameters)
        operations = edit.picture if edit is not None else ()
        return tuple(one.image for one in operations if isinstance(one, Overlay) and one.image is not None)


class Plan(Planned):
    """Passes in their order; ``generations`` counts the lossy encodes of the picture between the original and the
    result (where there is none, and the HLS package), ``sound_generations`` those of the sound.

    ``generations_of`` counts them for each output, where there is an HLS package: ``result.mp4`` and ``hls``.

    ``partial`` says that they touch only the borders of a cut: between them the picture is the original's, bit for bit.
    """

    passes: tuple[Pass, ...]
    generations: int
    generations_of: Mapping[str, int] = {}
    partial: bool = False
    sound_generations: int = 0
    warnings: tuple[Warning, ...] = ()

    def named(self, name: str) -> Pass:
        """The pass of that name; ``KeyError`` where there is none."""
        for one in self.passes:
            if one.name == name:
                return one
        raise KeyError(name)


PROBE_PASS = Pass(name="probe", kind="probe", parameters=ReadFacts())
