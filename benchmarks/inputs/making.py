"""Write an input: lines of a catalogue become command lines of ffmpeg, run one after the other."""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

# Silent but for a beep of 50 ms at each half second, so that one can tell where the sound lies.
BEEPS = r"if(between(mod(t\,1)\,0.5\,0.55)\,0.7*sin(2*PI*1000*t)\,0)"
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8, "quad": 4}
NEWEST = "newest "
SHORT = {
    "h264": "-c:v libx264 -preset veryfast -crf 14 -pix_fmt yuv420p -g 25",
    "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=error:crf=12",
    "aac": "-c:a aac -b:a 128k",
}


@dataclass(frozen=True, slots=True)
class Generated:
    """What the words {pictures} and {tone} of a line stand for; ``source`` is a generator of ffmpeg's.

    Every picture of it moves, so that none can stand for its neighbour.
    """

    size: str = "160x120"
    rate: str = "25"
    seconds: float = 3.0
    source: str = "testsrc2"
    channels: str = "stereo"
    samples: int = 48000

    def words(self) -> dict[str, str]:
        pictures = f"{self.source}=size={self.size}:rate={self.rate}:duration={self.seconds}"
        values = "|".join([BEEPS] * CHANNELS[self.channels])
        tone = f"aevalsrc='{values}:c={self.channels}:s={self.samples}:d={self.seconds}'"
        return {"pictures": f"-f lavfi -i {pictures}", "tone": f"-f lavfi -i {tone}", **SHORT}


def make(lines: tuple[str, ...], generated: Generated, target: Path) -> Path:
    """Run *lines*; the last one writes {out}, any may write files that begin with {first}.

    A line that begins with "newest" is for the newest ffmpeg, every other for Debian's. ``CalledProcessError`` where
    one fails.
    """
    words = generated.words() | {"out": str(target), "first": str(target.with_name(f"first-{target.stem}"))}
    for line in lines:
        program = imageio_ffmpeg.get_ffmpeg_exe() if line.startswith(NEWEST) else "ffmpeg"
        arguments = shlex.split(line.removeprefix(NEWEST).format(**words))
        command = [program, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
        subprocess.run(command, check=True)
    return target
