"""Packets of one video stream, from a time on, in the order of decoding."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, dropwhile
from pathlib import Path
from types import TracebackType
from typing import Self

from av.packet import Packet
from av.video.stream import VideoStream

from moviola.messages import Limits
from moviola_workers.engine import opening
from moviola_workers.engine.failures import FFmpegError, refused
from moviola_workers.engine.reading import BACK
from moviola_workers.engine.shots import Inspector, NotCopyable, Shot
from moviola_workers.job import Report


class PacketSource:
    """The main video stream of a file that can be copied from; entering says ``NotCopyable`` where it can't."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
            self.inspector = Inspector(self.stream, self._limits)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self) -> None:
        self._stack.close()
        self.container = self._stack.enter_context(opening.opened(self._path, self._limits))
        self.stream = opening.main_video(self.container, self._limits)
        if self.stream.time_base is None:
            raise NotCopyable("the file does not say when its pictures are shown")
        self.base = self.stream.time_base
        opening.only(self.container, self.stream)

    def shots(self, tick: int, report: Report) -> "Iterator[Shot]":
        """The shots from one shown at ``tick`` or earlier on; ``report`` hears of each, since there may be many."""
        for count, packet in enumerate(self.packets(tick), start=1):
            if count > self._limits.max_frames:
                raise refused("media.too_many_frames", f"The video has more than {self._limits.max_frames} frames.")
            report(0.0)
            yield self.inspector.shot(packet)

    def packets(self, tick: int) -> "Iterator[Packet[VideoStream]]":
        """The packets from one shown at ``tick`` or earlier on."""
        for back in BACK:
            target = tick - int(back / self.base)
            if target <= (self.stream.start_time or 0):
                break
            try:
                self.container.seek(target, stream=self.stream)
            except FFmpegError:
                break  # No index: reading from the beginning is what is left.
            # Some containers are sought by time alone: what comes before a key frame is no whole row of pictures.
            found = dropwhile(_is_inner, self._demuxed())
            first = next(found, None)
            if first is not None and first.pts is not None and first.pts <= tick:
                return chain([first], found)
        self._open()
        return self._demuxed()

    def _demuxed(self) -> "Iterator[Packet[VideoStream]]":
        try:
            # The empty packet at the end means "flush"; it is no picture.
            yield from (packet for packet in self.container.demux(self.stream) if packet.size)
        except FFmpegError as error:
            raise NotCopyable("a part of the file can't be read") from error


def _is_inner(packet: "Packet[VideoStream]") -> bool:
    return not packet.is_keyframe
