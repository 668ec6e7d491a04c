"""Which parts of the sandbox may be missing. What the parts do is tested in the child."""

import os

import pytest

from moviola_workers.sandbox import Bounds, NotConfined, Part, confine

HERE = Bounds(parent=os.getppid(), memory_bytes=1 << 33, cpu_seconds=60)


def refused(bounds):
    raise PermissionError(1, "not in this container")


def had(bounds):
    """A part that every system has."""


def test_part_that_cannot_be_had_is_named_with_its_reason_and_the_rest_is_in_force():
    confined = confine(HERE, [Part("no network", False, refused), Part("limit", True, had)])
    assert confined.in_force == ("limit",)
    assert "not in this container" in confined.unavailable["no network"]


def test_process_without_a_required_part_is_not_confined():
    with pytest.raises(NotConfined, match=r"limit can't be had: .*not in this container"):
        confine(HERE, [Part("limit", True, refused)])


def test_process_whose_parent_is_gone_is_not_confined():
    orphan = Bounds(parent=os.getppid() + 1, memory_bytes=1 << 33, cpu_seconds=60)
    with pytest.raises(NotConfined, match="died"):
        confine(orphan, [Part("limit", True, had)])
