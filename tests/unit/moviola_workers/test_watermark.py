"""The mark: where it was asked for, and nowhere else."""

from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from moviola.errors import TaskFailure
from moviola.marking import Font, Position
from moviola.plan import Overlay, Spot
from moviola_workers import fonts
from moviola_workers.engine import watermark
from tests.media.clips import Clip, Shown, make, shown
from tests.unit.moviola_workers.conftest import Bench

SIZE = (320, 192)
GROUND = 40


def _overlay(position: Position = "bottom-right", **changes: object) -> Overlay:
    return Overlay.model_validate(
        {"text": "Moviola", "position": position, "margin": 10, "opacity": 1.0, "scale": 0.15} | changes
    )


def _marked(frame: Shown) -> tuple[int, int, int, int]:
    """The smallest rectangle around all that differs from the ground."""
    lines = [y for y in range(frame.height) if any(abs(value - GROUND) > 20 for value in frame.luma[y])]
    columns = [x for x in range(frame.width) if any(abs(row[x] - GROUND) > 20 for row in frame.luma)]
    return min(columns), min(lines), max(columns), max(lines)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """A clip of even darkness (its frame carries number 0)."""
    return make(tmp_path / "dark.mp4", Clip(frames=1, width=SIZE[0], height=SIZE[1]))


@pytest.mark.parametrize("position", get_args(Position))
def test_a_text_is_drawn_where_it_was_asked_for(bench: Bench, dark: Path, position: Position) -> None:
    (frame,) = shown(bench.edit(dark, picture=(_overlay(position),), size=SIZE))

    left, top, right, bottom = _marked(frame)
    words = position.split("-")
    assert (left <= 16) == ("left" in words)
    assert (right >= SIZE[0] - 16) == ("right" in words)
    assert (top <= 16) == ("top" in words)
    assert (bottom >= SIZE[1] - 16) == ("bottom" in words)
    assert left >= 8
    assert top >= 8
    assert right <= SIZE[0] - 8
    assert bottom <= SIZE[1] - 8


def test_every_frame_is_marked(bench: Bench, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", Clip(frames=20, quarters=True, width=SIZE[0], height=SIZE[1]))

    frames = shown(bench.edit(source, (0.2, 0.8), picture=(_overlay("top-left"),), size=SIZE))

    assert len(frames) == 15
    assert all(min(frame.luma[20][10:80]) < 180 for frame in frames)


def test_opacity_thins_the_mark(bench: Bench, dark: Path) -> None:
    bright = []
    for opacity in (1.0, 0.5):
        (frame,) = shown(bench.edit(dark, picture=(_overlay(opacity=opacity),), size=SIZE))
        bright.append(max(max(row) for row in frame.luma))

    assert bright[0] > 225
    assert 120 < bright[1] < 160


def test_an_image_is_scaled_relative_to_the_picture(bench: Bench, dark: Path, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGBA", (100, 50), (255, 255, 255, 255)).save(logo)
    overlay = _overlay("top-left", text=None, image="watermark", scale=0.25)

    (frame,) = shown(bench.edit(dark, picture=(overlay,), size=SIZE, resources={"watermark": logo}))

    assert _marked(frame) == pytest.approx((10, 10, 89, 49), abs=2)


def test_transparent_parts_of_an_image_let_the_picture_through(bench: Bench, dark: Path, tmp_path: Path) -> None:
    logo = tmp_path / "logo.webp"
    image = Image.new("RGBA", (80, 40), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (0, 0, 40, 40))
    image.save(logo, lossless=True)
    overlay = _overlay("top-left", text=None, image="w", scale=0.25)

    (frame,) = shown(bench.edit(dark, picture=(overlay,), size=SIZE, resources={"w": logo}))

    assert _marked(frame) == pytest.approx((10, 10, 49, 49), abs=2)


def test_a_mark_larger_than_the_picture_is_made_to_fit(tmp_path: Path) -> None:
    logo = tmp_path / "logo.jpg"
    Image.new("RGB", (4000, 1000)).save(logo)

    image = watermark.draw(_overlay(text=None, image="w", scale=None), logo, *SIZE)
    text = watermark.draw(_overlay(text="W" * 200, scale=1.0), None, *SIZE)

    for mark in (image, text):
        assert mark.image.width <= SIZE[0] - 18
        assert mark.image.height <= SIZE[1] - 18


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_an_image_that_is_none_is_refused(bench: Bench, dark: Path, tmp_path: Path, content: bytes) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(content)
    overlay = _overlay(text=None, image="w")

    with pytest.raises(TaskFailure) as caught:
        bench.edit(dark, picture=(overlay,), size=SIZE, resources={"w": logo})

    assert caught.value.code == "recipe.bad_watermark"
    assert caught.value.permanent


@pytest.mark.parametrize("text", ["ñandú", "€ 5", "ÁÉÍÓÚ ß ł", "Ωμέγα", "Привет", "a\nb\x00c", "🎬", " "])
def test_any_text_can_be_drawn(text: str) -> None:
    assert watermark.draw(_overlay(text=text), None, *SIZE).image.width >= 2


@pytest.mark.parametrize("font", get_args(Font))
@pytest.mark.parametrize("character", "ñáéíóúüÑ€¿¡çßŁğΩЖ")
def test_every_font_has_the_letters_that_people_need(font: Font, character: str) -> None:
    drawn = fonts.load(font, 32)

    assert bytes(drawn.getmask(character)) != bytes(drawn.getmask("\uffff"))


def test_each_font_looks_different() -> None:
    drawn = {watermark.draw(_overlay(font=font), None, *SIZE).image.tobytes() for font in get_args(Font)}

    assert len(drawn) == len(get_args(Font))


def test_letters_and_outline_have_the_colours_asked_for() -> None:
    overlay = _overlay(color="#ff0000", outline={"color": "#0000ff", "width": 0.1}, scale=0.5)

    colours = _colours(watermark.draw(overlay, None, *SIZE).image)

    assert {(255, 0, 0, 255), (0, 0, 255, 255)} <= colours
    assert (255, 255, 255, 255) not in colours


def test_without_an_outline_there_are_letters_only() -> None:
    overlay = _overlay(color="#00ff0080", outline={"width": 0}, scale=0.5)

    image = watermark.draw(overlay, None, *SIZE).image

    assert max(image.getchannel("A").tobytes()) == 0x80
    assert {colour[:3] for colour in _colours(image) if colour[3]} == {(0, 255, 0)}


def _colours(image: Image.Image) -> set[tuple[int, ...]]:
    data = image.tobytes()
    return {tuple(data[at : at + 4]) for at in range(0, len(data), 4)}


@pytest.fixture
def block(tmp_path: Path) -> Path:
    path = tmp_path / "block.png"
    Image.new("RGBA", (40, 20), (255, 255, 255, 255)).save(path)
    return path


@pytest.mark.parametrize(
    ("x", "y", "left", "top"),
    [
        (Spot(pixels=30), Spot(pixels=12), 30, 12),
        (Spot(pixels=31), Spot(pixels=13), 31, 13),
        (Spot(pixels=5, far=True), Spot(pixels=7, far=True), 320 - 40 - 5, 192 - 20 - 7),
        (Spot(share=0.125), Spot(share=0.5), 40, 96),
        (Spot(share=0.1, far=True), Spot(share=0, far=True), 320 - 40 - 32, 172),
        (Spot(pixels=9999), Spot(share=1.0), 280, 172),
        (Spot(pixels=9999, far=True), Spot(pixels=0), 0, 0),
    ],
)
def test_a_mark_lies_at_exactly_the_pixel_asked_for(
    bench: Bench, dark: Path, block: Path, x: Spot, y: Spot, left: int, top: int
) -> None:
    overlay = _overlay(text=None, image="w", scale=None, x=x, y=y)

    (frame,) = shown(bench.edit(dark, picture=(overlay,), size=SIZE, resources={"w": block}))

    assert _marked(frame) == (left, top, left + 39, top + 19)


def test_a_tiled_mark_is_repeated_over_the_whole_picture(bench: Bench, dark: Path, block: Path) -> None:
    overlay = _overlay(text=None, image="w", scale=None, x=Spot(pixels=70), y=Spot(pixels=50), tile=True, spacing=1.0)

    (frame,) = shown(bench.edit(dark, picture=(overlay,), size=SIZE, resources={"w": block}))

    # Each 40 × 20, with gaps of 20: columns at …, 10, 70, 130, … and lines at …, 10, 50, 90, …
    for y in range(1, SIZE[1] - 1):
        for x in range(1, SIZE[0] - 1, 3):
            inside = (x - 70) % 60 < 40 and (y - 50) % 40 < 20
            border = (x - 70) % 60 in (0, 39, 40, 59) or (y - 50) % 40 in (0, 19, 20, 39)
            assert border or (frame.luma[y][x] > 200) == inside, (x, y)
