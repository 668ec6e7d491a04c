"""JSON as RFC 8259 means it: no NaN, no duplicate names, no depth that hurts."""

import json
import math

from moviola.errors import FieldError, InvalidInput

MAX_DEPTH = 64


def parse(text: str | bytes) -> object:
    """The value that *text* holds; ``InvalidInput`` for anything that two readers could read differently.

    Refused: NaN and Infinity, a name given twice in one object, nesting deeper than 64, bytes that are not UTF-8.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        _refuse_depth(decoded)
        value: object = json.loads(decoded, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise InvalidInput("The JSON is not valid UTF-8.", code="json.invalid") from error
    except json.JSONDecodeError as error:
        message = f"This is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise InvalidInput(message, code="json.invalid") from error
    refuse_non_finite(value)
    return value


def refuse_non_finite(value: object, pointer: str = "") -> None:
    """Raise ``InvalidInput`` with a pointer to the first NaN or infinity (1e309 is one) in a parsed document."""
    if isinstance(value, float) and not math.isfinite(value):
        error = FieldError(pointer=pointer, message="This is not a finite number.", code="finite_number")
        raise InvalidInput(f"The value at {pointer or '/'} is not a finite number.", [error], code="json.invalid")
    if isinstance(value, dict):
        for name, item in value.items():
            refuse_non_finite(item, f"{pointer}/{escape(str(name))}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            refuse_non_finite(item, f"{pointer}/{index}")


def escape(part: str) -> str:
    """One reference token of a JSON pointer (RFC 6901, section 3)."""
    return part.replace("~", "~0").replace("/", "~1")


def _refuse_depth(text: str) -> None:
    # Counted before parsing, since the parser itself recurses.
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidInput(f"The JSON nests deeper than {MAX_DEPTH} levels.", code="json.too_deep")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        error = FieldError(pointer="", message=f"The name {twice!r} is given twice.", code="duplicate_key")
        raise InvalidInput(f"The name {twice!r} is given twice in one object.", [error], code="json.duplicate_key")
    return result
