"""An HLS package out of what was written: playlists over the renditions, and captions beside them.

Every rendition is one file of fragmented mp4, of which a playlist names ranges of bytes: few objects to store, and a
player that winds loads no more than it needs. Addresses are relative, so that the tree plays wherever it lies.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from moviola.captions import as_vtt, read_captions, trimmed
from moviola.errors import InvalidInput, TaskFailure
from moviola.plan import HLS
from moviola_workers.engine.codec_names import codec_name
from moviola_workers.engine.fragments import box, boxes, read_fragments
from moviola_workers.engine.playlists import (
    Package,
    Track,
    Variant,
    caption_playlist,
    key_playlist,
    master_playlist,
    media_playlist,
)
from moviola_workers.engine.renditions import SOUND, Renditions
from moviola_workers.engine.segments import picture_segments, sound_segments
from moviola_workers.job import MadeFile

PLAYLIST, PICTURE, SOUND_TYPE, VTT = "application/vnd.apple.mpegurl", "video/mp4", "audio/mp4", "text/vtt"
TYPES: Mapping[str, str] = {".m3u8": PLAYLIST, ".mp4": PICTURE, ".m4a": SOUND_TYPE, ".vtt": VTT}
_SOUND_CHANNELS = 16


def write_package(renditions: Renditions, resources: Mapping[str, Path], end: Fraction) -> tuple[MadeFile, ...]:
    """Complete the package whose renditions were written and closed; the picture ends at *end*, in seconds.

    The files are those of ``Ladder.files``, in their order.
    """
    package = Package(
        variants=tuple(_variants(renditions, end)), sound=_sound(renditions), captions=renditions.ladder.captions
    )
    texts = {"master.m3u8": master_playlist(package), **dict(_media(package)), **dict(_captions(renditions, resources))}
    for track in renditions.ladder.captions:
        name = f"captions-{track.language}"
        texts[f"{name}.m3u8"] = caption_playlist(f"{name}.vtt", package.variants[0].rendition.duration)
    for name, text in texts.items():
        (renditions.directory / name).write_text(text, encoding="utf-8", newline="\n")
    return tuple(_made(renditions, name) for name in renditions.ladder.files)


def _variants(renditions: Renditions, end: Fraction) -> Iterator[Variant]:
    for rung in renditions.rungs:
        file = read_fragments(renditions.picture_path(rung))
        yield Variant(rung.name, codec_name(file.head), rung.width, rung.height, picture_segments(file, end))


def _sound(renditions: Renditions) -> Track | None:
    if not renditions.ladder.sound:
        return None
    file = read_fragments(renditions.sound_path)
    return Track(
        name=SOUND,
        codec=codec_name(file.head),
        rendition=sound_segments(file, renditions.grid),
        channels=_channels(file.head),
        language=renditions.ladder.sound_language,
    )


def _channels(head: bytes) -> int | None:
    entries = box(head, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd") or b""
    _, entry = next(boxes(entries), (b"", b""))
    return int.from_bytes(entry[_SOUND_CHANNELS : _SOUND_CHANNELS + 2], "big") or None


def _media(package: Package) -> Iterator[tuple[str, str]]:
    for one in package.variants:
        file = f"{one.name}.mp4"
        yield f"{one.name}.m3u8", media_playlist(one.rendition, file, package.target)
        yield f"{one.name}-iframes.m3u8", key_playlist(one.rendition, file, package.target)
    if package.sound is not None:
        yield f"{SOUND}.m3u8", media_playlist(package.sound.rendition, f"{SOUND}.m4a", package.target)


def _captions(renditions: Renditions, resources: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for track in renditions.ladder.captions:
        try:
            cues = read_captions(resources[track.resource].read_bytes(), pointer="")
        except InvalidInput as error:
            message = f"The captions in {track.language} can't be read. {error}"
            raise TaskFailure("media.bad_captions", message, permanent=True) from error
        yield f"captions-{track.language}.vtt", as_vtt(tuple(trimmed(cues, renditions.ladder.kept)))


def _made(renditions: Renditions, name: str) -> MadeFile:
    path = renditions.directory / name.removeprefix(f"{HLS}/")
    return MadeFile(name=name, path=path, content_type=TYPES[path.suffix])
