"""A fused four-step job, upload to ready, against one `ffmpeg` command and against four chained ones."""

from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks import peers
from benchmarks.report import Ratio, Row, Section
from benchmarks.system import embedded

RECIPE: dict[str, object] = {
    "version": 1,
    "steps": [
        {"step": "trim", "start": peers.START, "end": peers.END},
        {"step": "resize", "width": peers.SIZE[0], "height": peers.SIZE[1]},
        {"step": "watermark", "image": "watermark", "position": "bottom-right", "margin": 20, "opacity": 1.0},
        {"step": "mute"},
    ],
    "output": {"quality": peers.QUALITY, "preset": peers.PRESET},
}


def make_logo(path: Path) -> None:
    """A small round logo with an alpha channel."""
    logo = Image.new("RGBA", (160, 80), (0, 0, 0, 0))
    ImageDraw.Draw(logo).ellipse((0, 0, 159, 79), fill=(255, 200, 0, 200))
    logo.save(path)


def measure(folder: Path, seed: Path, *, runs: int) -> Section:
    clip, logo = folder / "clip.mp4", folder / "logo.png"
    peers.make_clip(clip, seed)
    make_logo(logo)
    ours, one, four = [], [], []
    # Else all runs but the first would take over the first one's result.
    with embedded(folder, MOVIOLA_STEP_CACHE="false") as system:
        for _ in range(runs):
            ours.append(system.process(clip, RECIPE, logo)[0])
            one.append(peers.one_command(clip, logo, folder / "one.mp4"))
            four.append(peers.chained_commands(clip, logo, folder))
    rows = [
        Row("Moviola: upload → ready through the embedded system", ours),
        Row("one `ffmpeg` command", one),
        Row("four chained `ffmpeg` commands", four),
    ]
    return Section(
        title="Four steps, one encode",
        work=(
            "30 s out of 60 s of 1080p (Big Buck Bunny, scaled up and looped; H.264 + AAC): trim, resize to 1280×720, "
            f"an image as watermark, mute; x264 `{peers.PRESET}`, CRF {peers.QUALITY}, threads as x264 chooses. "
            "Moviola's time is from the start of a `curl` upload over HTTP to the event `ready`, probing, checking and "
            "storing included; the peers read and write local files. "
            f"Peer: ffmpeg {peers.version()} as PyPI's imageio-ffmpeg ships it."
        ),
        rows=rows,
        ratios=[
            Ratio("Moviola / one command", rows[0], rows[1], "≤ 1.15×"),
            Ratio("Moviola / four chained commands", rows[0], rows[2], "≤ 0.30×"),
        ],
    )
