"""Send a dead letter again: marked and posted in one transaction, to where it had been published first.

It goes in our own name, since nobody may publish in another's; whose submission it was is then read from the letter
that its header names. A producer can't forge that: the letter must be there, redriven, and say the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal
from uuid import UUID

from moviola.errors import StaleVersion
from moviola.ports.message_bus import Envelope, Posting
from moviola.ports.video_store import StoredDeadLetter, VideoStore
from moviola.topology import DEAD, EXCHANGES, UNROUTED, Address
from moviola.video import utc_now

LETTER, TIMES = "x-moviola-dead-letter", "x-moviola-redriven"
_KNOWN = frozenset(exchange.name for exchange in EXCHANGES) - {DEAD, UNROUTED}
# Of the dead only; `traceparent` and what a producer added go along.
_OF_THE_DEATH = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-moviola-")

Outcome = Literal["redriven", "would_be_redriven", "gone", "truncated", "no_address", "busy"]
"""``gone``: discarded or redriven by somebody else. ``truncated``: too large to be kept whole. ``no_address``: it was
not published on an exchange of ours. ``busy``: a message of the same id waits in the outbox; try again."""


def obstacle(letter: StoredDeadLetter) -> Outcome | None:
    """What stands against sending it again, as it is."""
    if letter.redriven_at is not None:
        return "gone"
    if letter.size > len(letter.body):
        return "truncated"
    return None if letter.exchange in _KNOWN else "no_address"


def posting_of(letter: StoredDeadLetter) -> Posting:
    """The message as it was, to where it was published."""
    headers = {name: value for name, value in letter.headers.items() if not name.startswith(_OF_THE_DEATH)}
    envelope = Envelope(
        id=letter.message_id,
        type=letter.type,
        body=letter.body,
        correlation_id=letter.correlation_id,
        headers={**headers, LETTER: letter.id, TIMES: str(letter.times + 1)},
    )
    return Posting(Address(letter.exchange, letter.key), envelope)


async def redrive(store: VideoStore, letters: Sequence[StoredDeadLetter]) -> list[Outcome]:
    """Send each again, in a transaction of its own; what became of them, in their order."""
    return [obstacle(letter) or await _redrive_one(store, letter) for letter in letters]


async def _redrive_one(store: VideoStore, letter: StoredDeadLetter) -> Outcome:
    try:
        async with store.transaction() as transaction:
            if not await transaction.dead_letters.redriven(letter.tenant, letter.id, at=utc_now()):
                return "gone"
            await transaction.outbox.add([posting_of(letter)])
    except StaleVersion:
        return "busy"
    return "redriven"


async def as_published_first(store: VideoStore, envelope: Envelope) -> Envelope:
    """*envelope* with the user who published it first, where it is a dead letter that was sent again."""
    try:
        letter_id = str(UUID(envelope.headers.get(LETTER, "")))
    except ValueError:
        return envelope
    async with store.snapshot() as view:
        letter = await view.dead_letters.get(None, letter_id)
    same = letter is not None and (letter.message_id, letter.body) == (envelope.id, envelope.body)
    if letter is None or letter.redriven_at is None or not same:
        return envelope
    return replace(envelope, user_id=letter.user_id)
