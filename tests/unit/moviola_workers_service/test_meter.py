"""One scale for fetching, working and storing."""

import pytest

from moviola_workers.meter import Meter


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return Meter(clock)


def test_phases_share_one_scale(meter):
    seen = []
    meter.begin("fetch", total=200)
    meter.moved_bytes(100)
    seen.append(meter.value)
    meter.begin("work")
    seen.append(meter.value)
    meter.moved(0.5)
    seen.append(meter.value)
    meter.begin("store", total=10)
    seen.append(meter.value)
    meter.moved_bytes(10)
    seen.append(meter.value)
    assert seen == pytest.approx([0.025, 0.05, 0.5, 0.95, 1.0])


def test_value_never_goes_back_and_stays_in_its_phase(meter):
    meter.begin("work")
    meter.moved(0.6)
    meter.moved(0.2)
    assert meter.value == pytest.approx(0.59)
    meter.moved(7.0)
    assert meter.value == pytest.approx(0.95)


def test_bytes_of_an_unknown_total_are_moves_without_a_value(meter):
    before = meter.moves
    meter.begin("fetch")
    meter.moved_bytes(1000)
    assert (meter.value, meter.moves) == (0.0, before + 2)


def test_report_that_changes_nothing_is_a_move(meter, clock):
    meter.begin("work")
    clock.now += 5
    assert meter.idle_seconds() == 5
    meter.moved(0.0)
    assert meter.idle_seconds() == 0


def test_eta_follows_from_the_rate_of_the_work_and_what_the_fetching_took(meter, clock):
    clock.now += 5  # fetching the source
    meter.begin("work")
    meter.moved(0.1)
    assert meter.eta_seconds() is None
    clock.now += 10
    meter.moved(0.5)  # half of it in 10 s
    assert meter.eta_seconds() == pytest.approx(10 + 5)


def test_fetching_does_not_tell_how_long_the_work_will_take(meter, clock):
    meter.begin("fetch", total=100)
    clock.now += 10
    meter.moved_bytes(50)
    assert meter.eta_seconds() is None


def test_progress_and_estimate_are_right_at_every_frame(meter, clock):
    frames, each = 500, 0.04
    meter.begin("work")
    values = []
    for number in range(1, frames + 1):
        clock.now += each
        meter.moved(number / frames)
        values.append(meter.value)
        left = (frames - number) * each
        assert number * each < 1.0 or meter.eta_seconds() == pytest.approx(left, abs=0.1)
    assert values == sorted(values)
    assert values[-1] == pytest.approx(0.95)
