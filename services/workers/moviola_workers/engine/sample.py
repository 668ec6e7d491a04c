"""A clip to try things with, made from nothing: colours that flow, a counter and a chord."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av.error
from av.audio.frame import AudioFrame
from av.filter.graph import Graph
from av.video.frame import VideoFrame

from moviola.recipe import Output
from moviola_workers.engine.colour import BT709, LIMITED, Colour
from moviola_workers.engine.failures import translated
from moviola_workers.engine.result import Result

WIDTH, HEIGHT, RATE = 1280, 720, 25
SOUND_RATE = 48000
# Flowing colours and, on them, a test picture with a counter that shows which second one looks at.
# The colours are drawn small and enlarged, which is as soft and far quicker.
BACKGROUND = {
    "size": "160x90",
    "rate": str(RATE),
    "speed": "0.02",
    "type": "circular",
    "nb_colors": "4",
    "c0": "0x1b1464",
    "c1": "0x833471",
    "c2": "0xee5a24",
    "c3": "0xffc312",
}
INSET = {"size": "480x270", "rate": str(RATE)}
# A chord of A minor, soft.
CHORD = (220.0, 261.63, 329.63)


def make_sample(path: Path, *, seconds: float = 10.0) -> None:
    """An mp4 of 1280 × 720 at 25 frames a second, with sound; made in less time than it plays."""
    with translated("making the sample clip"), Result(path) as result:
        picture = result.encoded_picture(
            Output(preset="ultrafast", quality=24),
            size=(WIDTH, HEIGHT),
            time_base=Fraction(1, RATE),
            rate=Fraction(RATE),
            colour=Colour(matrix=BT709, primaries=BT709, transfer=BT709, range=LIMITED),
            threads=0,
        )
        sound = result.sound(SOUND_RATE, "stereo")
        sounds = _sounds(seconds)
        for frame in _pictures(seconds):
            for packet in picture.encode(frame):
                result.mux(packet)
            tone = next(sounds, None)
            if tone is not None:
                sound.encode(tone)
        for packet in picture.encode(None):
            result.mux(packet)
        for tone in sounds:
            sound.encode(tone)
        sound.encode(None)


def _pictures(seconds: float) -> Iterator[VideoFrame]:
    graph = Graph()
    length = str(round(seconds, 6))
    background = graph.add("gradients", duration=length, **BACKGROUND)
    inset = graph.add("testsrc2", duration=length, **INSET)
    overlay = graph.add("overlay", x="(W-w)/2", y="(H-h)/2", format="yuv420")
    last = graph.add("scale", out_color_matrix="bt709", out_range="limited")
    form = graph.add("format", pix_fmts="yuv420p")
    enlarged = graph.add("scale", w=str(WIDTH), h=str(HEIGHT), flags="bilinear")
    background.link_to(enlarged)
    enlarged.link_to(overlay, 0, 0)
    inset.link_to(overlay, 0, 1)
    graph.link_nodes(overlay, last, form, graph.add("buffersink"))
    graph.configure()
    while True:
        try:
            yield graph.vpull()
        except av.error.EOFError:
            return


def _sounds(seconds: float) -> Iterator[AudioFrame]:
    """A little more than a picture's time each, so that one of them goes with each picture."""
    graph = Graph()
    tones = [
        graph.add("sine", frequency=str(tone), sample_rate=str(SOUND_RATE), duration=str(round(seconds, 6)))
        for tone in CHORD
    ]
    mixed = graph.add("amix", inputs=str(len(tones)))
    form = graph.add("aformat", sample_fmts="fltp", channel_layouts="stereo", sample_rates=str(SOUND_RATE))
    for number, tone in enumerate(tones):
        tone.link_to(mixed, 0, number)
    graph.link_nodes(mixed, form, graph.add("asetnsamples", n="2048", p="0"), graph.add("abuffersink"))
    graph.configure()
    while True:
        try:
            frame = graph.pull()
        except av.error.EOFError:
            return
        if isinstance(frame, AudioFrame):
            yield frame
