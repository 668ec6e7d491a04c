"""The text of HLS playlists (RFC 8216). Values come in types that can hold no line break."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from moviola.plan import CaptionTrack
from moviola_workers.engine.segments import Rendition

# 7 is what fragmented mp4 with all that is used here asks for.
VERSION = 7
SOUND_GROUP, CAPTIONS_GROUP = "audio", "captions"


@dataclass(frozen=True, slots=True)
class Variant:
    """A rendition of the picture as the master playlist tells of it; ``name`` is that of its files, without suffix."""

    name: str
    codec: str
    width: int
    height: int
    rendition: Rendition


@dataclass(frozen=True, slots=True)
class Track:
    """The sound; ``channels`` None: not known."""

    name: str
    codec: str
    rendition: Rendition
    channels: int | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """All that is told by the master playlist. ``target`` seconds hold for all playlists."""

    variants: Sequence[Variant]
    sound: Track | None
    captions: Sequence[CaptionTrack]

    @property
    def target(self) -> int:
        sound = [self.sound.rendition.target] if self.sound is not None else []
        return max([one.rendition.target for one in self.variants] + sound)


def media_playlist(rendition: Rendition, file: str, target: int) -> str:
    """Every segment as a range of bytes of the one *file*."""
    lines = [*_head(target, independent=True), _map(rendition, file)]
    for one in rendition.segments:
        lines += [_lasting(one.duration), f"#EXT-X-BYTERANGE:{one.size}@{one.offset}", file]
    return _text(lines)


def key_playlist(rendition: Rendition, file: str, target: int) -> str:
    """The first picture of every segment, to be shown while a viewer winds."""
    lines = [*_head(target), "#EXT-X-I-FRAMES-ONLY", _map(rendition, file)]
    for one in rendition.segments:
        lines += [_lasting(one.duration), f"#EXT-X-BYTERANGE:{one.key_size}@{one.offset}", file]
    return _text(lines)


def caption_playlist(file: str, duration: Fraction) -> str:
    """One WebVTT file as long as the picture."""
    target = max(1, math.ceil(duration))
    return _text([*_head(target), _lasting(duration), file])


def master_playlist(package: Package) -> str:
    """Variants with the largest first, which is where most players begin or end up."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if package.sound is not None:
        lines.append(_sound_line(package.sound))
    lines += [_caption_line(track) for track in package.captions]
    for variant in package.variants:
        lines += [_variant_line(variant, package), f"{variant.name}.m3u8"]
    lines += [_key_line(variant, package.target) for variant in package.variants]
    return _text(lines)


def _head(target: int, *, independent: bool = False) -> Iterator[str]:
    yield "#EXTM3U"
    yield f"#EXT-X-VERSION:{VERSION}"
    yield f"#EXT-X-TARGETDURATION:{target}"
    yield "#EXT-X-MEDIA-SEQUENCE:0"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    if independent:
        yield "#EXT-X-INDEPENDENT-SEGMENTS"


def _map(rendition: Rendition, file: str) -> str:
    return f'#EXT-X-MAP:URI="{file}",BYTERANGE="{rendition.head_size}@0"'


def _lasting(duration: Fraction) -> str:
    return f"#EXTINF:{float(duration):.6f},"


def _text(lines: Sequence[str]) -> str:
    end = [] if lines[-1].startswith(("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-STREAM-INF")) else ["#EXT-X-ENDLIST"]
    return "\n".join([*lines, *end, ""])


def _sound_line(sound: Track) -> str:
    attributes = ["TYPE=AUDIO", f'GROUP-ID="{SOUND_GROUP}"', f'NAME="{sound.language or "Audio"}"']
    if sound.language is not None:
        attributes.append(f'LANGUAGE="{sound.language}"')
    attributes += ["DEFAULT=YES", "AUTOSELECT=YES"]
    if sound.channels is not None:
        attributes.append(f'CHANNELS="{sound.channels}"')
    return f'#EXT-X-MEDIA:{",".join(attributes)},URI="{sound.name}.m3u8"'


def _caption_line(track: CaptionTrack) -> str:
    attributes = [
        "TYPE=SUBTITLES",
        f'GROUP-ID="{CAPTIONS_GROUP}"',
        f'NAME="{track.label}"',
        f'LANGUAGE="{track.language}"',
        "DEFAULT=NO,AUTOSELECT=YES,FORCED=NO",
        f'URI="captions-{track.language}.m3u8"',
    ]
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _variant_line(variant: Variant, package: Package) -> str:
    sound, target = package.sound, package.target
    peak, average = _rates(variant.rendition, variant.rendition.sizes, target)
    codecs = [variant.codec]
    if sound is not None:
        # A player loads both: the peaks of both may come together.
        more = _rates(sound.rendition, sound.rendition.sizes, target)
        peak, average = peak + more[0], average + more[1]
        codecs.append(sound.codec)
    attributes = [
        f"BANDWIDTH={math.ceil(peak)}",
        f"AVERAGE-BANDWIDTH={math.ceil(average)}",
        f'CODECS="{",".join(codecs)}"',
        f"RESOLUTION={variant.width}x{variant.height}",
        f"FRAME-RATE={float(variant.rendition.frame_rate):.3f}",
        "VIDEO-RANGE=SDR",
    ]
    attributes += [f'AUDIO="{SOUND_GROUP}"'] if sound is not None else []
    attributes += [f'SUBTITLES="{CAPTIONS_GROUP}"'] if package.captions else []
    return f"#EXT-X-STREAM-INF:{','.join(attributes)},CLOSED-CAPTIONS=NONE"


def _rates(rendition: Rendition, sizes: Sequence[int], target: int) -> tuple[Fraction, Fraction]:
    """Bits a second: at the peak, and on average."""
    return rendition.peak(sizes, target), rendition.average(sizes)


def _key_line(variant: Variant, target: int) -> str:
    peak, average = _rates(variant.rendition, variant.rendition.key_sizes, target)
    attributes = [
        f"BANDWIDTH={math.ceil(peak)}",
        f"AVERAGE-BANDWIDTH={math.ceil(average)}",
        f'CODECS="{variant.codec}"',
        f"RESOLUTION={variant.width}x{variant.height}",
        "VIDEO-RANGE=SDR",
        f'URI="{variant.name}-iframes.m3u8"',
    ]
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(attributes)}"
