"""Does a file's index lie in front of its contents, so that a player can begin before all is loaded?

- ISO base media (ISO/IEC 14496-12): ``moov`` before the first ``mdat``.
- WebM (RFC 9559): ``Cues`` before the first ``Cluster``.
"""

from collections.abc import Iterator
from pathlib import Path

from moviola_workers.engine import truncation

CUES = 0x1C53BB6B


def index_leads(path: Path) -> bool:
    """False too where there is no index at all."""
    names = list(_names(path))
    index = next((number for number, name in enumerate(names) if name in (b"moov", CUES)), None)
    contents = next((number for number, name in enumerate(names) if name in (b"mdat", truncation.CLUSTER)), len(names))
    return index is not None and index < contents


def _names(path: Path) -> Iterator[bytes | int]:
    with path.open("rb") as file:
        if file.read(4) == b"\x1a\x45\xdf\xa3":
            file.seek(0)
            yield from truncation.elements(file)
        else:
            yield from (part.name for part in truncation.boxes(file, path.stat().st_size))
