"""From a recipe and the facts of a file to passes: how many encodes, in which order, with which numbers."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moviola.errors import InvalidRecipe
from moviola.geometry import fit
from moviola.plan import Edit, Overlay, Pass, Plan, Scale, Span, Spot, Window
from moviola.planner import compile_plan
from moviola.probe import Probe, VideoStream
from moviola.recipe import SHOWCASE, Recipe, Resize, parse_recipe


def facts(
    width: int = 1920, height: int = 1080, duration: float = 60.0, codec: str = "h264", sar: str = "1:1"
) -> Probe:
    stream = VideoStream(
        index=0,
        codec=codec,
        width=width,
        height=height,
        display_width=width,
        display_height=height,
        sample_aspect_ratio=sar,
        pixel_format="yuv420p",
        frame_rate=25,
    )
    return Probe(container="mp4", size=1000, duration=duration, video=stream)


def plan_of(*steps: dict[str, object], fusion: bool = True, **about: object) -> Plan:
    recipe = parse_recipe({"steps": list(steps)})
    return compile_plan(recipe, facts(**about), fusion=fusion)  # type: ignore[arg-type]  # the tests' own keywords


def edit_of(one: Pass) -> Edit:
    assert isinstance(one.parameters, Edit)
    return one.parameters


def kinds(plan: Plan) -> list[str]:
    return [one.kind for one in plan.passes]


def test_the_default_recipe_costs_one_generation() -> None:
    plan = compile_plan(SHOWCASE, facts())
    assert kinds(plan) == ["render", "thumbnails", "verify"]
    assert plan.generations == 1
    assert plan.passes[0].covers == (0, 1, 2, 3)
    assert [one.files for one in plan.passes] == [("result.mp4",), ("poster.jpg",), ()]


def test_without_fusion_each_step_is_a_pass_that_reads_the_one_before() -> None:
    plan = compile_plan(SHOWCASE, facts(), fusion=False)
    assert [(one.kind, one.source) for one in plan.passes] == [
        ("trim", "original"),
        ("resize", "trim"),
        ("watermark", "resize"),
        ("mute", "watermark"),
        ("thumbnails", "mute"),
        ("verify", "mute"),
    ]
    assert plan.generations == 3
    assert [one.name for one in plan.passes if "result.mp4" in one.files] == ["mute"]


def test_a_step_alone_goes_to_the_worker_of_its_kind() -> None:
    assert kinds(plan_of({"step": "resize", "height": 480})) == ["resize", "verify"]


def test_muting_alone_copies_packets() -> None:
    plan = plan_of({"step": "mute"})
    assert kinds(plan) == ["mute", "verify"]
    assert plan.generations == 0
    assert edit_of(plan.passes[0]).copy_packets


def test_muting_alone_encodes_what_the_output_may_not_hold() -> None:
    plan = plan_of({"step": "mute"}, codec="vp9")
    assert plan.generations == 1
    assert not edit_of(plan.passes[0]).copy_packets


def test_no_steps_mean_a_conversion() -> None:
    plan = compile_plan(Recipe(steps=()), facts())
    assert kinds(plan) == ["render", "verify"]
    assert plan.passes[0].files == ("result.mp4",)


def test_no_recipe_means_no_passes() -> None:
    assert compile_plan(None, facts()) == Plan(passes=(), generations=0)


def test_thumbnails_alone_look_at_the_original() -> None:
    plan = plan_of({"step": "thumbnails"})
    assert [(one.kind, one.source) for one in plan.passes] == [("thumbnails", "original")]
    assert plan.generations == 0


def test_the_same_step_twice_gets_two_names() -> None:
    trim = {"step": "trim", "start": 1}
    assert [one.name for one in plan_of(trim, trim, fusion=False).passes] == ["trim", "trim-2", "verify"]


def test_a_trim_of_a_trim_is_one_span_on_the_originals_clock() -> None:
    plan = plan_of(
        {"step": "trim", "cut": [{"start": 0, "end": 10}, {"start": 20, "end": 30}]},
        {"step": "trim", "start": 5, "end": 25},
    )
    assert edit_of(plan.passes[0]).spans == (Span(start=15, end=20), Span(start=30, end=45))
    assert edit_of(plan.passes[0]).duration == 20


def test_the_end_is_clamped_with_a_warning() -> None:
    plan = plan_of({"step": "trim", "start": 50, "end": 70})
    assert edit_of(plan.passes[0]).spans == (Span(start=50, end=60),)
    assert [warning.code for warning in plan.warnings] == ["recipe.end_clamped"]


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ([{"step": "trim", "start": 60}], "/steps/0/start"),
        (
            [{"step": "mute"}, {"step": "trim", "keep": [{"start": 1, "end": 2}, {"start": 99}]}],
            "/steps/1/keep/1/start",
        ),
        ([{"step": "trim", "cut": [{"start": 0}]}], "/steps/0/cut"),
        ([{"step": "trim", "end": 10}, {"step": "trim", "start": 10}], "/steps/1/start"),
        ([{"step": "trim", "end": 10}, {"step": "thumbnails", "at": 10}], "/steps/1/at"),
        ([{"step": "trim", "end": 10}, {"step": "watermark", "text": "a", "start": 10}], "/steps/1/start"),
    ],
)
def test_a_start_beyond_the_end_is_pointed_at(steps: list[dict[str, object]], pointer: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        plan_of(*steps)
    assert caught.value.code == "recipe.start_beyond_end"
    assert [error.pointer for error in caught.value.errors] == [pointer]


@pytest.mark.parametrize(
    ("resize", "source", "expected"),
    [
        # one side: the other follows the shape
        (Resize(height=720), (1920, 1080), (1280, 720, 1280, 720)),
        (Resize(width=640), (1920, 1080), (640, 360, 640, 360)),
        (Resize(height=480), (1080, 1920), (270, 480, 270, 480)),
        # never enlarged unless asked
        (Resize(height=1080), (640, 272), (640, 272, 640, 272)),
        (Resize(height=1080, upscale=True), (640, 360), (1920, 1080, 1920, 1080)),
        # both sides: the canvas is exact
        (Resize(width=1280, height=720), (640, 272), (640, 272, 1280, 720)),
        (Resize(width=1280, height=720), (1080, 1920), (404, 720, 1280, 720)),
        (Resize(width=1280, height=720, upscale=True), (640, 272), (1280, 544, 1280, 720)),
        (Resize(width=500, height=500, fit="cover"), (1920, 1080), (888, 500, 500, 500)),
        (Resize(width=500, height=500, fit="stretch"), (1920, 1080), (500, 500, 500, 500)),
        # odd wishes: rounded down to even
        (Resize(width=501, height=333, fit="stretch"), (1920, 1080), (500, 332, 500, 332)),
    ],
)
def test_the_geometry_of_a_resize(resize: Resize, source: tuple[int, int], expected: tuple[int, int, int, int]) -> None:
    scale = fit(resize, *source)
    assert (scale.width, scale.height, scale.canvas_width, scale.canvas_height) == expected


@pytest.mark.parametrize(("width", "height", "canvas"), [(33, 17, (32, 16)), (1164, 767, (1164, 766)), (1, 1, (2, 2))])
def test_odd_pictures_get_an_even_canvas(width: int, height: int, canvas: tuple[int, int]) -> None:
    edit = edit_of(plan_of({"step": "trim", "end": 5}, width=width, height=height).passes[0])
    assert (edit.width, edit.height) == canvas
    assert isinstance(edit.picture[0], Scale)


def test_pixels_that_are_not_square_are_made_square() -> None:
    edit = edit_of(plan_of({"step": "trim", "end": 5}, sar="4:3").passes[0])
    assert edit.picture == (Scale(width=1920, height=1080, canvas_width=1920, canvas_height=1080),)


sides = st.integers(min_value=2, max_value=5000)


@given(
    sides,
    sides,
    st.builds(
        Resize, width=sides, height=sides, fit=st.sampled_from(["contain", "cover", "stretch"]), upscale=st.booleans()
    ),
)
def test_the_canvas_is_what_was_asked_for(width: int, height: int, resize: Resize) -> None:
    """Exact up to evenness; and the picture is never larger than its source unless that is asked for."""
    scale = fit(resize, width, height)
    assert resize.width is not None
    assert resize.height is not None
    assert (scale.canvas_width, scale.canvas_height) == (resize.width & ~1, resize.height & ~1)
    if not resize.upscale:
        assert scale.width <= width + 1
        assert scale.height <= height + 1
    if resize.fit == "contain":
        assert scale.width <= resize.width + 1
        assert scale.height <= resize.height + 1


spans = st.lists(st.floats(0, 60), min_size=2, max_size=8, unique=True).map(sorted)


@given(spans, st.booleans())
def test_kept_and_cut_ranges_cover_the_video_once(edges: list[float], keep: bool) -> None:
    """However the ranges lie, the spans are in order, inside the video, not empty, and as long as they claim."""
    ranges = [{"start": a, "end": b} for a, b in zip(edges[::2], edges[1::2], strict=False)]
    nothing_left = edges[0] >= 60 if keep else (edges[0] <= 0 and len(ranges) == 1 and edges[1] >= 60)
    assume(not nothing_left)
    plan = plan_of({"step": "trim", "keep" if keep else "cut": ranges})
    edit = edit_of(plan.passes[0])
    assert edit.spans
    flat = [time for span in edit.spans for time in (span.start, span.end)]
    assert flat == sorted(flat)
    assert flat[0] >= 0
    assert flat[-1] <= 60
    assert all(span.start < span.end for span in edit.spans)
    assert edit.duration == pytest.approx(sum(span.end - span.start for span in edit.spans))


def overlay_in(plan: Plan) -> Overlay:
    (overlay,) = (one for one in edit_of(plan.passes[0]).picture if isinstance(one, Overlay))
    return overlay


def marked(**wishes: object) -> dict[str, object]:
    return {"step": "watermark", "text": "a", **wishes}


TRIM = {"step": "trim", "keep": [{"start": 10, "end": 20}, {"start": 30, "end": 40}]}


def test_a_watermark_without_times_is_always_seen() -> None:
    assert overlay_in(plan_of(marked(), TRIM)).windows is None


def test_a_watermark_behind_a_trim_keeps_the_results_clock() -> None:
    overlay = overlay_in(plan_of(TRIM, marked(start=5, end=15)))
    assert overlay.windows == (Window(start=5, end=15, appears=5, vanishes=15),)
    assert overlay.clock == "result"


def test_a_watermark_before_a_trim_has_its_times_on_the_sources_clock() -> None:
    overlay = overlay_in(plan_of(marked(start=15, end=35), TRIM))
    assert overlay.windows == (Window(start=15, end=35, appears=15, vanishes=35),)
    assert overlay.clock == "source"


def test_a_watermark_between_trims_falls_into_several_pieces_that_fade_as_one() -> None:
    overlay = overlay_in(plan_of(TRIM, marked(start=5, end=15, fade=2), {"step": "trim", "start": 6}, TRIM_END))
    assert overlay.windows == (
        Window(start=15, end=20, appears=15, vanishes=25),
        Window(start=30, end=35, appears=25, vanishes=35),
    )
    assert overlay.clock == "source"


TRIM_END = {"step": "trim", "end": 8}


def test_a_watermark_without_end_ends_with_the_video_as_it_stands_there() -> None:
    overlay = overlay_in(plan_of(TRIM, marked(fade=1), TRIM_END))
    assert overlay.windows == (
        Window(start=10, end=20, appears=10, vanishes=30),
        Window(start=30, end=None, appears=20, vanishes=40),
    )


def test_in_passes_of_their_own_every_time_is_of_the_passes_own_source() -> None:
    plan = plan_of(marked(start=15, end=35), TRIM, fusion=False)
    assert overlay_in(plan).clock == "result"


@pytest.mark.parametrize(
    ("place", "spot"),
    [
        (0, Spot()),
        (7, Spot(pixels=7)),
        (-7, Spot(pixels=7, far=True)),
        ("12.5%", Spot(share=0.125)),
        ("-5%", Spot(share=0.05, far=True)),
        ("-0%", Spot(far=True)),
    ],
)
def test_places_become_distances_from_an_edge(place: int | str, spot: Spot) -> None:
    overlay = overlay_in(plan_of(marked(x=place, y=0)))
    assert (overlay.x, overlay.y) == (spot, Spot())
