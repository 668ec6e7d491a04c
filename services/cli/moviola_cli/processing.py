"""`moviola process`: the real pipeline on one file, and nothing left behind; `moviola sample`: a clip to try it on."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moviola_cli.outcome import BadUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moviola.captions import Cue
    from moviola.recipe import Recipe
    from moviola_cli.order import Order

Fit = Literal["contain", "cover", "stretch"]
Position = Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]
VideoCodec = Literal["h264", "hevc", "av1", "vp9"]
CUT, PICTURE, MARK, SOUND, RESULT = "Time", "Picture", "Watermark", "Sound", "Result"


def process(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The video.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The MP4 or WebM to make.", rich_help_panel=RESULT),
    ],
    start: Annotated[str | None, typer.Option(help="Where it begins: seconds or 1:30.", rich_help_panel=CUT)] = None,
    end: Annotated[str | None, typer.Option(help="Where it ends: seconds or 1:30.", rich_help_panel=CUT)] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.", rich_help_panel=PICTURE)] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.", rich_help_panel=PICTURE)] = None,
    fit: Annotated[Fit | None, typer.Option(help="Letterbox, crop or distort.", rich_help_panel=PICTURE)] = None,
    watermark_text: Annotated[str | None, typer.Option(help="A text to lay over it.", rich_help_panel=MARK)] = None,
    watermark_image: Annotated[Path | None, typer.Option(help="An image to lay over it.", rich_help_panel=MARK)] = None,
    position: Annotated[Position | None, typer.Option(help="Where it goes.", rich_help_panel=MARK)] = None,
    margin: Annotated[int | None, typer.Option(help="Pixels from the edge.", rich_help_panel=MARK)] = None,
    opacity: Annotated[float | None, typer.Option(help="Above 0, up to 1.", rich_help_panel=MARK)] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="A text's height or an image's width, as a share of the picture's.", rich_help_panel=MARK),
    ] = None,
    color: Annotated[str | None, typer.Option(help="A text's: #rrggbb or #rrggbbaa.", rich_help_panel=MARK)] = None,
    mute: Annotated[bool, typer.Option("--mute", help="Remove the sound.", rich_help_panel=SOUND)] = False,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Bring the sound to -16 LUFS.", rich_help_panel=SOUND)
    ] = False,
    downmix: Annotated[
        bool, typer.Option("--downmix", help="Mix surround sound down to stereo.", rich_help_panel=SOUND)
    ] = False,
    video_codec: Annotated[
        VideoCodec | None, typer.Option(help="How the picture is encoded. [default: h264]", rich_help_panel=RESULT)
    ] = None,
    poster: Annotated[Path | None, typer.Option(help="Also cut a JPEG poster.", rich_help_panel=RESULT)] = None,
    storyboard: Annotated[
        bool,
        typer.Option(
            "--storyboard", help="Also storyboard.vtt and its sprites, beside OUTPUT.", rich_help_panel=RESULT
        ),
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Also an animated preview.webp, beside OUTPUT.", rich_help_panel=RESULT)
    ] = False,
    hls: Annotated[
        bool, typer.Option("--hls", help="Also package HLS, beside OUTPUT or in it.", rich_help_panel=RESULT)
    ] = False,
    heights: Annotated[
        str | None, typer.Option(help="The package's renditions: 720,480.", rich_help_panel=RESULT)
    ] = None,
    captions: Annotated[
        list[str] | None,
        typer.Option(metavar="LANGUAGE=FILE", help="WebVTT or SRT for the package.", rich_help_panel=RESULT),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="FILE", help="A recipe's JSON file or name; the flags override its steps.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace OUTPUT.", rich_help_panel=RESULT)] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, on stdout.", rich_help_panel=RESULT)
    ] = False,
) -> None:
    """Process one file here, with the whole pipeline, and leave nothing else behind."""
    from moviola.video import new_id
    from moviola_cli.captions_flag import captions_by_language
    from moviola_cli.order import Order
    from moviola_cli.recipe_flags import RecipeFlags, compose_recipe, parse_heights, parse_time

    if watermark_text is not None and watermark_image is not None:
        raise BadUse("Give either --watermark-text or --watermark-image.")
    base = read_recipe(recipe) if recipe is not None else None
    texts = {new_id(): (language, path) for language, path in captions_by_language(captions).items()}
    packaged = bool(hls or heights or texts) or any(step.step == "package" for step in (base.steps if base else ()))
    tree = _tree_for(output) if packaged else None
    _refuse_unfit(source, watermark_image, output if output != tree else None, poster, force=force)
    _refuse_full(tree, force=force)
    flags = RecipeFlags(
        start=parse_time(start) if start is not None else None,
        end=parse_time(end) if end is not None else None,
        width=width,
        height=height,
        fit=fit,
        text=watermark_text,
        image=new_id() if watermark_image is not None else None,
        position=position,
        margin=margin,
        opacity=opacity,
        scale=scale,
        color=color,
        mute=mute,
        downmix=2 if downmix else None,
        normalize=-16.0 if normalize else None,
        video_codec=video_codec,
        webm=output.suffix.lower() == ".webm",
        poster=poster is not None,
        storyboard=storyboard,
        preview=preview,
        hls=hls,
        heights=parse_heights(heights) if heights is not None else None,
        captions={language: captions_id for captions_id, (language, _) in texts.items()},
        result=output != tree,
    )
    wanted = compose_recipe(flags, base)
    _refuse_other_suffix(output, wanted.output.container)
    order = Order(
        source=source,
        output=output,
        poster=poster,
        recipe=wanted,
        hls=tree,
        watermarks={flags.image: watermark_image} if flags.image and watermark_image else {},
        captions=_read_captions(texts, wanted),
    )
    _refuse_taken(source, order.places(), force=force)
    _carry_out(order, as_json)


def _carry_out(order: "Order", as_json: bool) -> None:
    from moviola_cli.interrupts import run_interruptible
    from moviola_cli.pipeline import run_order

    result = run_interruptible(run_order(order))
    typer.echo(result.as_json() if as_json else result.sentence())


def _tree_for(output: Path) -> Path:
    """Where the HLS package goes: to the directory that OUTPUT names, or beside the file that it names."""
    return output if output.is_dir() or output.suffix.lower() in ("", ".hls") else output.with_suffix(".hls")


def _refuse_full(tree: Path | None, *, force: bool) -> None:
    if tree is None:
        return
    if not tree.parent.is_dir():
        raise BadUse(f"There is no directory {tree.parent} for {tree.name}.")
    if tree.exists() and not tree.is_dir():
        raise BadUse(f"{tree} is a file, where a directory for the HLS package is to be.")
    if tree.exists() and any(tree.iterdir()) and not force:
        raise BadUse(f"{tree} exists; --force replaces what is in it.")


def _read_captions(texts: "Mapping[str, tuple[str, Path]]", recipe: "Recipe") -> "dict[str, tuple[Cue, ...]]":
    """The cues by their ids; ``BadUse`` where the recipe names captions that were not given."""
    from moviola.captions import read_captions
    from moviola.recipe import Package

    for step in recipe.steps:
        for one in step.captions if isinstance(step, Package) else ():
            if one.file not in texts:
                raise BadUse(f"The recipe has captions in {one.language}; give --captions {one.language}=FILE.")
    return {
        captions_id: read_captions(path.read_bytes(), pointer=str(path)) for captions_id, (_, path) in texts.items()
    }


def _refuse_unfit(
    source: Path, watermark: Path | None, output: Path | None, poster: Path | None, *, force: bool
) -> None:
    for path in filter(None, (source, watermark)):
        if not path.exists():
            raise BadUse(f"There is no file {path}.")
        if not path.is_file():
            raise BadUse(f"{path} is not a file.")
        with path.open("rb"):
            pass
    for path in filter(None, (output, poster)):
        if not path.parent.is_dir():
            raise BadUse(f"There is no directory {path.parent} for {path.name}.")
    _refuse_taken(source, filter(None, (output, poster)), force=force)


def _refuse_taken(source: Path, places: Iterable[Path], *, force: bool) -> None:
    for path in places:
        if path.exists() and path.samefile(source):
            raise BadUse(f"{path} is the input itself; give the result another name.")
        if path.is_dir():
            raise BadUse(f"{path} is a directory; give the file's name too.")
        if path.exists() and not force:
            raise BadUse(f"{path} exists; --force replaces it.")


def _refuse_other_suffix(output: Path, container: str) -> None:
    """A name that says one container and means the other; names of other kinds are the user's own business."""
    if output.suffix.lower() in {".mp4", ".webm"} - {f".{container}"}:
        raise BadUse(f"The result is {container}; name it {output.with_suffix('.' + container).name}.")


def read_recipe(name: str) -> "Recipe":
    """The recipe in the file *name*, or the built-in one of that name; ``BadUse`` and ``InvalidRecipe``."""
    from moviola.recipe import BUILT_IN, parse_recipe

    path = Path(name)
    if path.is_file():
        return parse_recipe(path.read_bytes())
    if name in BUILT_IN:
        return BUILT_IN[name]
    raise BadUse(f"There is no recipe file {name}, nor a built-in recipe of that name ({', '.join(BUILT_IN)}).")


def sample(
    output: Annotated[Path, typer.Argument(help="The MP4 to make.")] = Path("sample.mp4"),
    seconds: Annotated[float, typer.Option(help="How long.", min=0.5, max=600)] = 10.0,
) -> None:
    """Make a sample clip with picture and sound."""
    from moviola_cli.sample import make

    if output.exists():
        raise BadUse(f"{output} exists.")
    make(output, seconds=seconds)
    typer.echo(f"{output}: {output.stat().st_size} bytes")
