"""Which bindings a message matches, by the rules of AMQP 0-9-1."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from moviola.topology import Binding, Exchange


def takes(bindings: Iterable[Binding], exchange: Exchange, key: str) -> bool:
    """Whether one of *bindings* takes what is published on *exchange* with *key*."""
    return any(binding.exchange == exchange.name and matches(exchange, binding.key, key) for binding in bindings)


def matches(exchange: Exchange, pattern: str, key: str) -> bool:
    """Whether a binding with *pattern* on *exchange* takes the routing key *key*.

    On a topic exchange ``*`` stands for one word and ``#`` for any number of words, none included; an empty key has no
    words.
    """
    match exchange.kind:
        case "fanout":
            return True
        case "direct":
            return pattern == key
        case "topic":
            return _words_match(_words(pattern), _words(key))


def _words(text: str) -> Sequence[str]:
    return text.split(".") if text else []


def _words_match(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_words_match(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _words_match(rest, words[1:])


def rfc3339(time: datetime) -> str:
    """*time* as headers tell it: in UTC, to the second, as the protocol's own timestamps are."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
