"""The inputs: what each is called, what is special about it, how ffmpeg makes it, and what is to be expected of it."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.inputs.making import Generated, make

PLAIN = "{pictures} {tone} {h264} {aac} {out}"
FIRST = "{pictures} {tone} {h264} {aac} {first}.mp4"


@dataclass(frozen=True, slots=True)
class Input:
    """``name`` is the file's, ``lines`` are for ``making.make``.

    ``close``: how near every single picture has to come to the other decoder's, in dB. ``fields``: the pictures are
    interlaced. ``hdr``: they are tone-mapped, and this is the other decoder's tone mapping that comes nearest.
    ``most``: pictures a second that are left of more. ``part``: the seconds that are kept where a part is cut out.
    ``real``: its sound has no clean beeps.
    """

    name: str
    special: str
    lines: tuple[str, ...] = (PLAIN,)
    generated: Generated = field(default_factory=Generated)
    close: float = 36.0
    fields: bool = False
    hdr: str | None = None
    most: int | None = None
    part: tuple[float, float] = (0.6, 2.2)
    real: bool = False

    def written(self, folder: Path) -> Path:
        return make(self.lines, self.generated, folder / self.name)


def _turned(name: str, special: str, options: str, first: str = FIRST) -> Input:
    return Input(name, special, (first, f"newest {options} -i {{first}}.mp4 -c copy {{out}}"))


def _as(name: str, special: str, options: str, **more: object) -> Input:
    """One command, of the generated pictures and sound."""
    return Input(name, special, (f"{{pictures}} {{tone}} {options} {{out}}",), **more)  # type: ignore[arg-type]  # as `Input` has them


# White at 203 cd/m², as ITU-R BT.2408 has it, in colours that BT.709 has too.
TO_HDR = "format=yuv420p,zscale=pin=709:tin=709:min=709:rin=tv:p=2020:m=2020_ncl:npl=203:t={},format=yuv420p10le"
MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(2030000,1):max-cll=203,100"


def _hdr(name: str, special: str, transfer: str, told: str, peer: str, close: float) -> Input:
    said = f":colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:repeat-headers=1{told}"
    return _as(name, special, f"-vf {TO_HDR.format(transfer)} {{hevc}}{said} {{aac}}", hdr=peer, close=close)


SHAPES = (
    _as("plain.mp4", "H.264 and AAC at 25 frames a second", "{h264} {aac}"),
    _turned("turned-90.mp4", "display matrix that turns by 90°", "-display_rotation -90"),
    _turned("turned-180.mp4", "display matrix that turns by 180°", "-display_rotation 180"),
    _turned("turned-270.mov", "display matrix that turns by 270°", "-display_rotation 90"),
    _turned("mirrored.mp4", "display matrix that mirrors", "-display_hflip"),
    _turned("mirrored-turned.mp4", "mirrored, then turned", "-display_rotation -90 -display_hflip"),
    _turned(
        "turned-wide.mp4",
        "turned, and pixels that are not square",
        "-display_rotation -90",
        "{pictures} {tone} -vf setsar=4/3 {h264} {aac} {first}.mp4",
    ),
    _as("wide-pixels.mp4", "pixels of 4:3 (anamorphic)", "-vf setsar=4/3 {h264} {aac}"),
    _as(
        "narrow-pixels.mpg",
        "pixels of 8:9 in an MPEG program stream",
        "-vf setsar=8/9 -c:v mpeg2video -q:v 2 -c:a mp2",
        generated=Generated(size="180x120"),
    ),
    _as(
        "odd.mp4", "odd sides, 161×119", "{h264} -pix_fmt yuv444p {aac}", generated=Generated(size="161x119"), close=30
    ),
    _as("one-pixel.mkv", "a picture of one pixel", "-vf scale=1:1,format=yuv444p -c:v ffv1 -c:a flac", close=20),
    Input(
        "size-changes.ts",
        "the picture's size changes midway",
        (
            "{pictures} {tone} {h264} {aac} -f mpegts {first}.1",
            "{pictures} {tone} -vf scale=208:144 {h264} {aac} -output_ts_offset 3.2 -f mpegts {first}.2",
            "-i concat:{first}.1|{first}.2 -c copy {out}",
        ),
        close=30,
    ),
)
FORMS = (
    _as("10-bit.mp4", "HEVC Main 10", "{hevc} -pix_fmt yuv420p10le {aac}"),
    _as("422.mov", "H.264 4:2:2, 10-bit", "{h264} -pix_fmt yuv422p10le {aac}"),
    _as("444.mkv", "H.264 4:4:4", "{h264} -pix_fmt yuv444p {aac}"),
    _as("gray.mkv", "gray pictures without chroma", "{h264} -pix_fmt gray {aac}"),
    _as("rgb.mkv", "RGB (x264rgb)", "-c:v libx264rgb -crf 12 -preset veryfast {aac}", close=30),
    _as(
        "full-range.mp4",
        "full range (yuvj420p), as phones and cameras write",
        "-vf scale=out_range=pc -c:v libx264 -crf 14 -pix_fmt yuvj420p {aac}",
    ),
    _as(
        "bt601.mp4",
        "BT.601 colours, tagged",
        "{h264} -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m {aac}",
    ),
    _hdr(
        "hdr10.mp4", "HDR10 that tells its peak: BT.2020, PQ, 10-bit", "smpte2084", f":hdr-opt=1:{MASTERED}", "clip", 22
    ),
    _hdr("pq.mkv", "PQ that tells no peak", "smpte2084", "", "hable", 21),
    _hdr("hlg.mov", "HLG: BT.2020, 10-bit", "arib-std-b67", "", "reinhard", 20),
    _as(
        "alpha.webm",
        "VP9 with alpha",
        "-vf format=yuva420p -c:v libvpx-vp9 -crf 10 -b:v 0 -cpu-used 8 -deadline realtime -c:a libopus",
    ),
    _as("alpha.mov", "QuickTime animation with alpha", "-vf format=argb -c:v qtrle -c:a pcm_s16le", close=30),
    _as(
        "prores-4444.mov",
        "ProRes 4444 with alpha",
        "-vf format=yuva444p10le -c:v prores_ks -profile:v 4444 -c:a pcm_s24le",
    ),
    _as(
        "tff.mpg",
        "interlaced, top field first (MPEG-2)",
        "-vf interlace=scan=tff:lowpass=0 -c:v mpeg2video -q:v 2 -flags +ildct+ilme -top 1 -c:a mp2",
        generated=Generated(rate="50"),
        fields=True,
        close=30,
    ),
    _as(
        "bff.mp4",
        "interlaced, bottom field first (H.264)",
        "-vf interlace=scan=bff:lowpass=0 {h264} -flags +ildct+ilme -x264-params bff=1 {aac}",
        generated=Generated(rate="50"),
        fields=True,
        close=30,
    ),
)
CONTAINERS = (
    _as("mpeg2.ts", "MPEG-2 and MP2 in a transport stream", "-c:v mpeg2video -q:v 2 -bf 2 -c:a mp2"),
    _as(
        "wrapped.ts",
        "a transport stream whose 33-bit clock wraps",
        "{h264} {aac} -muxdelay 0 -output_ts_offset 95442.2",
    ),
    _as("mpeg4.avi", "MPEG-4 part 2 and MP3 in AVI", "-c:v mpeg4 -q:v 2 -c:a libmp3lame"),
    _as("reordered.avi", "H.264 with B-frames in AVI, which has no times for them", "{h264} -c:a libmp3lame"),
    _as("aac.avi", "H.264 and AAC in AVI", "{h264} -bf 0 {aac}"),
    _as("packed.avi", "MPEG-4 with B-frames in AVI (DivX)", "-c:v mpeg4 -q:v 2 -bf 2 -c:a libmp3lame"),
    _as("mjpeg.avi", "Motion JPEG and PCM in AVI", "-c:v mjpeg -q:v 2 -pix_fmt yuvj422p -c:a pcm_s16le"),
    _as("h264.mkv", "H.264 and AC-3 in Matroska", "{h264} -c:a ac3"),
    _as("vp8.webm", "VP8 and Vorbis", "-c:v libvpx -crf 4 -b:v 4M -c:a libvorbis"),
    _as("vp9.webm", "VP9 and Opus", "-c:v libvpx-vp9 -crf 10 -b:v 0 -cpu-used 8 -deadline realtime -c:a libopus"),
    _as("av1.mkv", "AV1 and Opus", "-c:v libsvtav1 -preset 10 -crf 20 -c:a libopus", close=30),
    _as("sorenson.flv", "Sorenson Spark and MP3 in FLV", "-c:v flv1 -q:v 2 -c:a libmp3lame -ar 44100"),
    _as("h264.flv", "H.264 and AAC in FLV", "{h264} {aac}"),
    _as("wmv2.wmv", "WMV 8 and WMA in ASF", "-c:v wmv2 -q:v 2 -c:a wmav2"),
    _as("h263.3gp", "H.263 and AAC in 3GP", "-c:v h263 -q:v 2 -s 176x144 {aac} -ac 1", close=32),
    _as("prores.mov", "ProRes 422 HQ and PCM", "-c:v prores_ks -profile:v hq -pix_fmt yuv422p10le -c:a pcm_s24le"),
    _as(
        "dv.avi",
        "DV, PAL, interlaced by its nature",
        "-s 720x576 -pix_fmt yuv420p -c:v dvvideo -c:a pcm_s16le",
        fields=True,
        close=30,
    ),
    _as("theora.ogv", "Theora and Vorbis in Ogg", "-c:v libtheora -q:v 10 -c:a libvorbis"),
    _as(
        "fragmented.mp4",
        "fragmented, as live recorders write",
        "{h264} {aac} -movflags frag_keyframe+empty_moov+default_base_moof",
    ),
    _as("index-first.mp4", "the index in front", "{h264} {aac} -movflags +faststart"),
    _as("raw.h264", "a bare H.264 stream", "-an {h264}"),
    _as("mpeg2.mxf", "MPEG-2 and PCM in MXF", "-c:v mpeg2video -q:v 2 -c:a pcm_s16le"),
)
TIMES = (
    Input(
        "varying.mkv",
        "a varying rate: every third frame is missing, gaps up to 0.4 s",
        (
            "{pictures} {tone} -vf select='not(eq(mod(n\\,3)\\,1))*not(between(n\\,30\\,39))'"
            " -fps_mode passthrough {h264} {aac} {out}",
        ),
    ),
    Input(
        "screen.mp4",
        "a screen recording: stands still for seconds",
        (
            "{pictures} {tone} -vf select='lt(n\\,8)+between(n\\,60\\,62)+gte(n\\,120)'"
            " -fps_mode passthrough {h264} {aac} {out}",
        ),
        Generated(seconds=6),
        part=(1.3, 4.1),
    ),
    _as("ntsc.mp4", "30000/1001 frames a second", "{h264} {aac}", generated=Generated(rate="30000/1001")),
    _as(
        "thousand.mkv",
        "1000 frames a second",
        "{h264} {aac}",
        generated=Generated(rate="1000", seconds=1.5),
        most=240,
        part=(0.2, 1.2),
    ),
    _as("slow.mp4", "2 frames a second", "{h264} {aac}", generated=Generated(rate="2", seconds=6), part=(1.2, 4.7)),
    Input("one-frame.mp4", "one frame", ("{pictures} -frames:v 1 -an {h264} {out}",), part=(0.0, 0.02)),
    _as(
        "open-gop.mkv",
        "open groups of pictures",
        "{h264} -x264-params open-gop=1:bframes=3:keyint=25:min-keyint=25:scenecut=0 {aac}",
    ),
    _as(
        "pyramid.mp4",
        "B-frames that others lean on, 16 references",
        "{h264} -x264-params bframes=8:b-pyramid=normal:ref=16:b-adapt=0 {aac}",
    ),
    _as("hevc.mp4", "HEVC, open groups of pictures", "{hevc}:keyint=25:open-gop=1 -pix_fmt yuv420p {aac}"),
    Input(
        "edit-list.mp4",
        "cut by copying: an edit list hides the first pictures",
        (FIRST, "newest -ss 0.7 -i {first}.mp4 -c copy {out}"),
        part=(0.3, 1.7),
    ),
    Input(
        "edit-list.mov",
        "an edit list in QuickTime",
        (FIRST, "newest -ss 1.3 -i {first}.mp4 -c copy {out}"),
        part=(0.3, 1.2),
    ),
    _as(
        "negative.mp4",
        "timestamps that begin below 0",
        "{h264} {aac} -avoid_negative_ts disabled -output_ts_offset -0.52",
    ),
    _as("late-clock.mkv", "timestamps that begin at an hour", "{h264} {aac} -output_ts_offset 3600"),
    Input(
        "early-sound.mkv",
        "the sound starts 0.4 s before the picture",
        ("-itsoffset 0.4 {pictures} {tone} {h264} {aac} {out}",),
    ),
    Input(
        "late-sound.mp4",
        "the sound starts 0.7 s after the picture",
        ("{pictures} -itsoffset 0.7 {tone} {h264} {aac} {out}",),
        part=(0.6, 2.0),
    ),
    Input(
        "short-sound.mp4", "the sound ends a second before the picture", ("{pictures} -t 2 {tone} {h264} {aac} {out}",)
    ),
    Input(
        "gap.mkv",
        "the sound is missing for a second",
        ("{pictures} {tone} -bsf:a noise=drop='between(n\\,47\\,93)' {h264} {aac} {out}",),
    ),
)
SOUNDS = (
    _as("mono.mp4", "mono", "{h264} {aac}", generated=Generated(channels="mono")),
    _as("dual-mono.mkv", "two mono tracks, the second left out", "{h264} {aac} -map 0:v -map 1:a -map 1:a -ac 1"),
    _as("surround.mp4", "5.1", "{h264} -c:a aac", generated=Generated(channels="5.1")),
    _as("seven.mkv", "7.1", "{h264} -c:a flac", generated=Generated(channels="7.1")),
    _as("quad.mov", "four channels", "{h264} -c:a pcm_s16le", generated=Generated(channels="quad")),
    _as(
        "no-layout.avi",
        "no layout is told (PCM, three channels)",
        "{h264} -bf 0 -c:a pcm_s16le -af pan='3c|c0=c0|c1=c1|c2=c0'",
    ),
    _as("8-khz.avi", "8 kHz, A-law", "-c:v mpeg4 -q:v 2 -c:a pcm_alaw -ar 8000 -ac 1"),
    _as("96-khz.mkv", "96 kHz, 24-bit FLAC", "{h264} -c:a flac -ar 96000 -sample_fmt s32"),
    _as("11-khz.flv", "11.025 kHz MP3", "{h264} -c:a libmp3lame -ar 11025"),
    _as("he-44.ts", "44.1 kHz AAC in a transport stream", "{h264} {aac} -ar 44100"),
    _as("mp3.mp4", "MP3 in MP4", "{h264} -c:a libmp3lame"),
    _as("opus.mp4", "Opus in MP4", "{h264} -c:a libopus"),
    _as("eac3.ts", "E-AC-3", "{h264} -c:a eac3"),
    _as("none.mp4", "no sound", "{h264} -an"),
    _as("several.mkv", "three sounds, subtitles left out", "{h264} {aac} -map 0:v -map 1:a -map 1:a -map 1:a"),
)
INPUTS: tuple[Input, ...] = (*SHAPES, *FORMS, *CONTAINERS, *TIMES, *SOUNDS)
