import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.adapters.message_bus.routing import matches, takes
from moviola.topology import Binding, Exchange

TOPIC = Exchange("events", "topic")
words = st.lists(st.sampled_from(["a", "b"]), max_size=5)
patterns = st.lists(st.sampled_from(["a", "b", "*", "#"]), max_size=5)


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("video.*", "video.ready", True),
        ("video.*", "video", False),
        ("video.*", "video.ready.now", False),
        ("video.#", "video", True),
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("#.ready", "ready", True),
        ("a.#.b.#", "a.x.b.y.z", True),
        ("a.#.#.b", "a.b", True),
        ("a.*.#", "a", False),
    ],
)
def test_topic_patterns_match_by_words(pattern: str, key: str, expected: bool) -> None:
    assert matches(TOPIC, pattern, key) is expected


@given(patterns, words)
def test_topic_patterns_match_like_the_regular_expression_that_says_the_same(
    pattern: list[str], key: list[str]
) -> None:
    each = {"*": r"[^.]+\.", "#": r"(?:[^.]+\.)*"}
    expression = "".join(each.get(word, rf"{word}\.") for word in pattern)
    text = "".join(f"{word}." for word in key)
    assert matches(TOPIC, ".".join(pattern), ".".join(key)) is bool(re.fullmatch(expression, text))


def test_a_direct_exchange_takes_stars_for_letters() -> None:
    assert not matches(Exchange("tasks", "direct"), "*", "trim")
    assert matches(Exchange("tasks", "direct"), "trim", "trim")


def test_a_fanout_exchange_asks_for_no_key() -> None:
    assert matches(Exchange("control", "fanout"), "this", "that")


def test_a_binding_to_another_exchange_takes_nothing() -> None:
    assert not takes([Binding("elsewhere", "#")], TOPIC, "video.ready")
    assert takes([Binding("elsewhere", "#"), Binding("events", "video.*")], TOPIC, "video.ready")
