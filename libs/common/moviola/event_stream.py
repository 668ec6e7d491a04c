"""Server-sent events, read as the HTML standard says (section 9.2.6). Pure: bytes in, events out."""

from collections.abc import Iterator
from dataclasses import dataclass

from moviola.errors import MoviolaError

MAX_PENDING_BYTES = 4 * 1024**2


class EventTooLarge(MoviolaError):
    """One event is larger than 4 MiB: this is not a stream of ours."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """``id`` is the last id that the stream has named, by this event or one before it."""

    event: str
    data: str
    id: str


class EventStreamReader:
    """Feed it bytes as they come; events come out when they are whole, comments and empty ones never."""

    def __init__(self, *, last_id: str = "") -> None:
        self.last_id = last_id
        self._pending = b""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that *chunk* completes; ``EventTooLarge``."""
        # A CR at the very end may be half of a CRLF: it waits for what follows.
        pending = self._pending + chunk
        held = b"\r" if pending.endswith(b"\r") else b""
        lines = pending.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._pending = lines.pop() + held
        if len(self._pending) + sum(map(len, self._data)) > MAX_PENDING_BYTES:
            raise EventTooLarge("The server's event is larger than 4 MiB.")
        for line in lines:
            if line:
                self._take(line.decode(errors="replace"))
            elif (event := self._dispatch()) is not None:
                yield event

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return ServerSentEvent(event, "\n".join(data), self.last_id) if data else None
