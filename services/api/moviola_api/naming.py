"""How a file is named and typed towards a browser: from our own tables, never from what a client said of it."""

from collections.abc import Mapping
from urllib.parse import quote

_TYPES: Mapping[str, str] = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
    "ts": "video/mp2t",
    "m4s": "video/iso.segment",
    "m4a": "audio/mp4",
    "m3u8": "application/vnd.apple.mpegurl",
    "vtt": "text/vtt; charset=utf-8",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "json": "application/json",
}
# What may be shown in place of `original`: a file that says it is an image or text stays a download.
_UNKNOWN = "application/octet-stream"
# RFC 8187, section 3.2.1
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"


def content_type_of(name: str) -> str:
    """By the suffix of a file that we made."""
    return _TYPES.get(_suffix(name), _UNKNOWN)


def content_type_of_original(filename: str) -> str:
    """By the suffix of what was uploaded, if it is a video's."""
    known = _TYPES.get(_suffix(filename), _UNKNOWN)
    return known if known.startswith("video/") else _UNKNOWN


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def download_name(name: str, filename: str) -> str:
    """What a file is called on the client's disk: the original as it came, ours after it: ``holiday-result.mp4``."""
    if name == "original":
        return filename
    stem = filename.rpartition(".")[0] or filename
    return f"{stem}-{name.replace('/', '-')}"


def content_disposition(kind: str, filename: str) -> str:
    """``inline`` or ``attachment`` with the name in ASCII, and in full where that is not the same.

    RFC 6266, section 4; RFC 8187 for ``filename*``.
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%/;' else "_" for c in filename)
    value = f'{kind}; filename="{plain}"'
    if plain == filename:
        return value
    return f"{value}; filename*=UTF-8''{quote(filename, safe=_ATTRIBUTE_CHARACTERS)}"
