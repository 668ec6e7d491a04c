"""The real steps, but for one: what ``resize`` makes has lost its sound. A child loads it for the real table."""

import av

from moviola_workers.steps.table import STEPS as REAL


def resize_and_lose_the_sound(job, report):
    result = REAL["resize"](job, report)
    path = result.made[0].path
    whole = path.rename(path.with_name("whole.mp4"))
    with av.open(str(whole)) as source, av.open(str(path), "w", container_options={"movflags": "+faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux_one(packet)
    return result


STEPS = {**REAL, "resize": resize_and_lose_the_sound}
