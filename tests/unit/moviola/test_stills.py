"""What a thumbnails step makes: times, sizes, places and names."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.plan import Poster, Preview, Storyboard
from moviola.probe import Warning
from moviola.recipe import PreviewWish, StoryboardWish
from moviola.stills import SPRITE_SIDE, Seen, cells_of, cues, excerpt, fit_inside, lay_out, sprites
from tests.media.storyboards import cues_in
from tests.unit.moviola.test_planner import plan_of


def seen(duration: float = 60.0, width: int = 1920, height: int = 1080) -> Seen:
    return Seen(width=width, height=height, duration=duration)


def board_for(wish: StoryboardWish, about: Seen) -> tuple[Storyboard, list[Warning]]:
    warnings: list[Warning] = []
    return lay_out(wish, about, warnings), warnings


def test_a_plain_step_makes_the_poster_only() -> None:
    (one,) = plan_of({"step": "thumbnails", "width": 640}).passes
    assert (one.name, one.kind, one.files) == ("thumbnails", "thumbnails", ("poster.jpg",))
    assert one.parameters == Poster(width=640)


def test_each_product_is_a_pass_of_its_own_that_looks_at_the_result() -> None:
    step = {"step": "thumbnails", "storyboard": True, "preview": True}
    plan = plan_of(step, {"step": "trim", "end": 30}, {"step": "resize", "height": 480})
    assert [(one.name, one.source, one.covers, one.files) for one in plan.passes[1:]] == [
        ("thumbnails", "render", (0,), ("poster.jpg",)),
        ("thumbnails-storyboard", "render", (0,), ("storyboard.vtt", "storyboard.jpg")),
        ("thumbnails-preview", "render", (0,), ("preview.webp",)),
        ("verify", "render", (), ()),
    ]
    board, preview = plan.passes[2].parameters, plan.passes[3].parameters
    assert isinstance(board, Storyboard)
    assert (board.interval, board.cells, board.width, board.height) == (1.0, 30, 160, 90)
    assert isinstance(preview, Preview)
    assert (preview.width, preview.height) == (320, 180)
    assert plan.generations == 1


def test_a_step_without_a_poster_makes_none() -> None:
    assert [one.name for one in plan_of({"step": "thumbnails", "poster": False, "preview": True}).passes] == [
        "thumbnails-preview"
    ]


@pytest.mark.parametrize(
    ("duration", "interval", "cells"),
    [(5.28, 1, 6), (100, 1, 100), (100.5, 2, 51), (3600, 60, 60), (6 * 3600, 300, 72), (0, 1, 1)],
)
def test_left_open_the_pictures_come_at_round_distances(duration: float, interval: float, cells: int) -> None:
    board, warnings = board_for(StoryboardWish(), seen(duration))
    assert (board.interval, board.cells) == (interval, cells)
    assert not warnings


def test_a_count_is_met_and_an_interval_is_kept() -> None:
    assert board_for(StoryboardWish(count=7), seen(10.01))[0].cells == 7
    assert board_for(StoryboardWish(interval=0.1), seen(2.0))[0].cells == 20
    assert board_for(StoryboardWish(interval=100.0), seen(2.0))[0].cells == 1


@pytest.mark.parametrize(("wish", "duration"), [(StoryboardWish(interval=0.5), 21600), (StoryboardWish(count=1000), 1)])
def test_too_many_pictures_are_thinned_with_a_warning(wish: StoryboardWish, duration: float) -> None:
    board, warnings = board_for(wish, seen(duration))
    assert board.cells <= 1000
    assert [warning.code for warning in warnings] == ["recipe.storyboard_thinned"]


@pytest.mark.parametrize(
    ("size", "bounds", "expected"),
    [
        ((1920, 1080), (160, None), (160, 90)),
        ((1080, 1920), (160, 640), (160, 284)),
        ((100, 50), (160, 90), (100, 50)),
        ((1, 1), (160, 90), (1, 1)),
        ((16384, 2), (160, None), (160, 1)),
        ((640, 480), (None, 240), (320, 240)),
    ],
)
def test_a_still_fits_and_is_never_enlarged(
    size: tuple[int, int], bounds: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    assert fit_inside(*size, *bounds) == expected


sides = st.integers(1, 16384)
wishes = st.builds(
    StoryboardWish,
    interval=st.one_of(st.none(), st.floats(0.1, 100)),
    width=st.integers(16, 640),
    columns=st.integers(1, 25),
) | st.builds(StoryboardWish, count=st.integers(1, 1000))


@given(wishes, st.floats(0, 21600), sides, sides)
def test_cues_cover_all_of_the_video_and_places_lie_side_by_side_in_sane_sprites(
    wish: StoryboardWish, duration: float, width: int, height: int
) -> None:
    """Each cue begins where the one before ended, the last ends at the end, and no place is used twice."""
    board, _ = board_for(wish, seen(duration, width, height))
    found = cues_in(cues(board))
    assert len(found) == board.cells
    assert found[0].start == 0
    assert all(one.start < one.end for one in found)
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert found[-1].end >= duration or math.isclose(found[-1].end, duration)
    assert float(found[-1].end) <= duration + 0.002
    assert len({(one.sprite, one.place) for one in found}) == board.cells
    assert {one.sprite for one in found} == set(sprites(board))
    assert board.columns * board.width <= SPRITE_SIDE
    assert board.rows * board.height <= SPRITE_SIDE


def test_a_long_video_has_several_sprites() -> None:
    board, _ = board_for(StoryboardWish(count=250), seen(3600))
    assert sprites(board) == ("storyboard.jpg", "storyboard-2.jpg", "storyboard-3.jpg")
    assert [(one.sprite, one.left, one.top) for one in cells_of(board)][99:102] == [
        (0, 1440, 810), (1, 0, 0), (1, 160, 0),
    ]  # fmt: skip


def test_scenes_lie_in_the_middle_of_their_parts() -> None:
    preview = excerpt(PreviewWish(seconds=4.0, scenes=2), seen(60))
    assert [(one.start, one.end) for one in preview.scenes] == [(14, 16), (44, 46)]


def test_a_short_video_is_shown_as_a_whole() -> None:
    assert [(one.start, one.end) for one in excerpt(PreviewWish(), seen(3.5)).scenes] == [(0, 3.5)]
