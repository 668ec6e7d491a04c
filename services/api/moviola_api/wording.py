"""Times, places and counts in plain words."""

from datetime import UTC, datetime

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """``third`` for 3, ``21st`` for 21; from 1 on."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def count(number: int, noun: str) -> str:
    """``no worker``, ``one worker``, ``two workers``, ``12 workers``."""
    words = {0: "no", 1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
    return f"{words.get(number, number)} {noun}{'' if number in (0, 1) else 's'}"


def clock(time: datetime, now: datetime) -> str:
    """The time of day in UTC, with the date where that is not today's."""
    there = time.astimezone(UTC)
    form = "%H:%M:%S UTC" if there.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M:%S UTC"
    return there.strftime(form)
