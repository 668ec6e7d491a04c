"""Captions as cues: read from WebVTT or SRT, moved along with a trim, written as WebVTT. Pure.

The readers are strict: what they can't read is an ``InvalidInput`` that names the line. Of WebVTT they keep the cues
(W3C WebVTT, section 4); comments, styles and regions are left out. Of SRT's markup italics, bold and underlining stay.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from moviola.errors import FieldError, InvalidInput
from moviola.plan import Span

MAX_BYTES = 2 * 1024 * 1024
MAX_CUES = 20_000
VTT, ARROW = "WEBVTT", "-->"
# Local time 0 is the media's 0 (RFC 8216, section 3.5).
HEADER = f"{VTT}\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_VTT_TIME = re.compile(r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})")
_SRT_TIME = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)[,.](\d{3})")
_SETTING = re.compile(r"(vertical|line|position|size|align):[A-Za-z0-9.,%-]+")
_SRT_MARKUP = re.compile(r"</?font[^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_SRT_KEPT = re.compile(r"&lt;(/?[ibu])&gt;", re.IGNORECASE)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|lrm|rlm|nbsp|#\d+|#x[0-9a-fA-F]+);)")


@dataclass(frozen=True, slots=True)
class Cue:
    """``text`` from ``start`` to ``end``, in seconds; in WebVTT's own markup, without an empty line."""

    start: float
    end: float
    text: str
    settings: str = ""


class _Unreadable(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line}: {reason}.")


def read_captions(data: bytes, *, pointer: str) -> tuple[Cue, ...]:
    """The cues in a WebVTT or SRT file, by their start; ``InvalidInput`` at *pointer*, with the line."""
    if len(data) > MAX_BYTES:
        raise _refused(pointer, f"Captions have at most {MAX_BYTES} bytes.", "too_large")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(pointer, "Captions must be UTF-8.", "utf8") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        _refuse_control(lines)
        cues = tuple(_read_vtt(lines) if lines[0].split(maxsplit=1)[:1] == [VTT] else _read_srt(lines))
    except _Unreadable as error:
        raise _refused(pointer, str(error), "malformed") from error
    if not cues:
        raise _refused(pointer, "There is not a single caption in the file.", "empty")
    if len(cues) > MAX_CUES:
        raise _refused(pointer, f"A file has at most {MAX_CUES} captions.", "too_many")
    return tuple(sorted(cues, key=lambda cue: cue.start))


def _refuse_control(lines: Sequence[str]) -> None:
    for number, line in enumerate(lines, start=1):
        if _CONTROL.search(line):
            raise _Unreadable(number, "there is a control character")


def _refused(pointer: str, message: str, code: str) -> InvalidInput:
    return InvalidInput(message, [FieldError(pointer, message, code)], code=f"captions.{code}")


def _blocks(lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Rows of lines without an empty one, with the number of the first, which counts from *first*."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], start=first):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _read_vtt(lines: Sequence[str]) -> Iterator[Cue]:
    blocks = _blocks(lines, 1)
    next(blocks)  # the header, with whatever stands below it
    for number, block in blocks:
        if block[0].split(maxsplit=1)[0] in ("NOTE", "STYLE", "REGION") and ARROW not in block[0]:
            continue
        timing = 0 if ARROW in block[0] else 1
        if timing >= len(block) or ARROW not in block[timing]:
            raise _Unreadable(number, 'a cue needs a line with "-->"')
        yield _cue(number + timing, block[timing], block[timing + 1 :], _VTT_TIME)


def _read_srt(lines: Sequence[str]) -> Iterator[Cue]:
    for number, block in _blocks(lines, 1):
        timing = 0 if ARROW in block[0] else 1
        counted = timing == 0 or block[0].strip().isdecimal()
        if not counted or timing >= len(block) or ARROW not in block[timing]:
            raise _Unreadable(number, "this is neither WebVTT nor SRT")
        cue = _cue(number + timing, block[timing], block[timing + 1 :], _SRT_TIME)
        # What SRT says of the place (X1:…) is not WebVTT's.
        yield replace(cue, text=_from_srt(cue.text), settings="")


def _cue(number: int, timing: str, text: Sequence[str], form: re.Pattern[str]) -> Cue:
    before, _, after = timing.partition(ARROW)
    end, _, settings = after.strip().partition(" ")
    start_at, end_at = (_seconds(number, word, form) for word in (before.strip(), end.rstrip("\t")))
    if start_at >= end_at:
        raise _Unreadable(number, "the caption ends before it begins")
    if any(ARROW in line for line in text):
        raise _Unreadable(number, 'there is a second "-->" in the caption; an empty line may be missing')
    kept = " ".join(word for word in settings.split() if _SETTING.fullmatch(word))
    return Cue(start_at, end_at, "\n".join(text), kept)


def _seconds(number: int, word: str, form: re.Pattern[str]) -> float:
    found = form.fullmatch(word)
    if found is None:
        raise _Unreadable(number, f"{word[:40]!r} is not a time")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in found.groups())
    return (hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds) / 1000


def _from_srt(text: str) -> str:
    plain = _ENTITY.sub("&amp;", _SRT_MARKUP.sub("", text)).replace("<", "&lt;").replace(">", "&gt;")
    lines = _SRT_KEPT.sub(lambda found: f"<{found[1].lower()}>", plain).split("\n")
    # A line that held only markup is empty now, and an empty line would end the cue.
    return "\n".join(line for line in lines if line.strip())


def trimmed(cues: Sequence[Cue], spans: Sequence[Span] | None) -> Iterator[Cue]:
    """The cues on the clock of what *spans* leave; None leaves all. A cue that a cut goes through loses that part."""
    if spans is None:
        yield from cues
        return
    pieces: list[Cue] = []
    for cue in cues:
        joined: list[Cue] = []
        for piece in _pieces(cue, spans):
            # On both sides of a cut the same caption: it just stays.
            if joined and joined[-1].end == piece.start:
                joined[-1] = replace(joined[-1], end=piece.end)
            else:
                joined.append(piece)
        pieces += joined
    yield from sorted(pieces, key=lambda cue: cue.start)


def _pieces(cue: Cue, spans: Sequence[Span]) -> Iterator[Cue]:
    lands = 0.0
    for span in spans:
        start, end = max(cue.start, span.start), min(cue.end, span.end)
        # Less than a millisecond can't be written down.
        if end - start >= 0.001:
            yield replace(cue, start=round(start - span.start + lands, 3), end=round(end - span.start + lands, 3))
        lands += span.end - span.start


def as_vtt(cues: Sequence[Cue]) -> str:
    """The cues as WebVTT."""
    return "\n".join([HEADER, *(_written(cue) for cue in cues)])


def _written(cue: Cue) -> str:
    timing = f"{_clock(cue.start)} {ARROW} {_clock(cue.end)}{f' {cue.settings}' if cue.settings else ''}"
    return f"{timing}\n{cue.text}\n"


def _clock(second: float) -> str:
    minutes, milliseconds = divmod(round(second * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
