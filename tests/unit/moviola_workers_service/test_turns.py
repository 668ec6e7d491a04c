"""Which kind a worker of several kinds takes next."""

from collections import Counter

from moviola.plan import KINDS
from moviola_workers.turns import SHORT, SHORT_IN_A_ROW, Turns


def takes(turns: Turns, waiting: dict[str, int], place: int = 1) -> str:
    """What a place takes of what waits, as the bus gives it: from the first queue that has something."""
    kind = next(kind for kind in turns.order(place) if waiting.get(kind))
    waiting[kind] -= 1
    turns.took(kind, place)
    return kind


def test_short_kinds_come_first() -> None:
    turns = Turns(KINDS, places=1)
    waiting = {"render": 3, "probe": 2, "thumbnails": 1}
    assert [takes(turns, waiting, 0) for _ in range(4)] == ["probe", "thumbnails", "probe", "render"]


def test_long_kinds_get_their_turn_however_many_short_ones_there_are() -> None:
    turns = Turns(KINDS, places=1)
    waiting = {"render": 1000, "trim": 1000, "probe": 1000, "mute": 1000}
    taken = [takes(turns, waiting, 0) for _ in range(10 * (SHORT_IN_A_ROW + 1))]
    assert Counter(taken) == {"probe": 40, "mute": 40, "render": 5, "trim": 5}


def test_one_of_several_places_never_takes_a_long_one() -> None:
    turns = Turns(KINDS, places=3)
    assert set(turns.order(0)) == set(KINDS) & SHORT
    assert set(turns.order(1)) == set(turns.order(2)) == set(KINDS)


def test_a_worker_of_one_sort_keeps_no_place() -> None:
    assert Turns(["render", "trim"], places=2).order(0) == ["render", "trim"]
    assert Turns(["probe"], places=2).order(0) == ["probe"]
