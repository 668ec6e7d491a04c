"""By what a result is known: equal fingerprints stand for equal results, whoever made them and for which video.

Into it goes all that the result follows from: what the pass does and which files are wanted, the bytes of everything
that it reads, and the engine (the code of the steps and the codecs) that does it. Names that differ from run to run,
of passes, videos and stored images, do not.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from pydantic import JsonValue

from moviola.plan import ORIGINAL, Pass
from moviola.video import OutputFile, Worker

# One more whenever a result of the same fingerprint as before would be another one.
VERSION = 1


def fingerprint(
    one: Pass, *, original: str | None, made: Mapping[str, str], images: Mapping[str, str], engine: str
) -> str | None:
    """The fingerprint of what *engine* makes of the pass; None where something that goes into it is not known.

    *original* is the original's SHA-256, *made* what stands for the content of other passes (`content_of`) and *images*
    the SHA-256 of stored images, by name. Both may have more names than the pass reads.
    """
    content = {**made, **images} | ({ORIGINAL: original} if original else {})
    if not engine or not content.keys() >= {one.source, *one.needs, *one.images}:
        return None
    return _digest(
        {
            "version": VERSION,
            "engine": engine,
            "kind": one.kind,
            "parameters": _renamed(
                one.parameters.model_dump(mode="json"), {name: content[name] for name in one.images}
            ),
            "files": list(one.files),
            "source": content[one.source],
            "needs": [content[name] for name in one.needs],
        }
    )


def content_of(outputs: Sequence[OutputFile]) -> str:
    """What stands for the content of a pass's output, whichever of its files are read."""
    return _digest({output.name: output.sha256 for output in outputs})


def engines_for(kind: str, workers: Collection[Worker]) -> Sequence[str]:
    """The engines that may do a task of that kind now."""
    return sorted({worker.engine for worker in workers if kind in worker.kinds and worker.engine})


def _renamed(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    """*value* with other strings for those that are *names*."""
    match value:
        case str():
            return names.get(value, value)
        case list():
            return [_renamed(item, names) for item in value]
        case dict():
            return {key: _renamed(item, names) for key, item in value.items()}
        case _:
            return value


def _digest(value: JsonValue) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
