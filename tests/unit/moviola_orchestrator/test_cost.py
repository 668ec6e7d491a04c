"""What a pass is expected to cost: by pixels and seconds, and never nothing."""

import pytest

from moviola.plan import PROBE_PASS, Edit, Pass
from moviola.planner import compile_plan
from moviola.recipe import Mute, Recipe, Resize, Thumbnails, Trim
from moviola_orchestrator.cost import COPY, LOOK, cost_of
from tests.unit.moviola_orchestrator.scene import facts


def cost(*steps: object, duration: float = 60.0) -> float:
    """Of the one edit that the steps are compiled into, of a clip of 1920 × 1080."""
    recipe = Recipe(steps=steps)  # type: ignore[arg-type]  # the steps' own types
    plan = compile_plan(recipe, facts(duration))
    (edit,) = (one for one in plan.passes if isinstance(one.parameters, Edit))
    return cost_of(edit, facts(duration)) - LOOK


def test_a_second_of_1080p_is_the_unit_and_costs_grow_with_time() -> None:
    assert cost(Resize(height=720)) == pytest.approx(60, rel=0.01)
    assert cost(Resize(height=720), duration=30) == pytest.approx(30, rel=0.01)
    assert cost(Trim(end=10), Resize(height=720)) == pytest.approx(10, rel=0.01)


def test_the_larger_of_source_and_result_counts() -> None:
    assert cost(Resize(width=3840, height=2160, upscale=True)) == pytest.approx(240, rel=0.01)
    assert cost(Resize(height=90)) == cost(Resize(height=720))


def test_copying_costs_a_fraction() -> None:
    assert cost(Mute()) == pytest.approx(60 * COPY, rel=0.01)


def test_looks_cost_a_little_and_nothing_is_for_free() -> None:
    plan = compile_plan(Recipe(steps=(Thumbnails(),)), facts())
    assert cost_of(PROBE_PASS, None) == LOOK
    assert {cost_of(one, facts()) for one in plan.passes} == {LOOK}
    nothing = Edit(width=2, height=2, duration=0.0)
    assert cost_of(Pass(name="render", kind="render", parameters=nothing), None) == LOOK
