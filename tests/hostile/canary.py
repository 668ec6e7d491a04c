"""A trap that sees whoever comes near: ports that are listened to, and a file whose content must not turn up."""

import asyncio
import ctypes
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

IN_ACCESS, IN_MODIFY, IN_OPEN, IN_NONBLOCK = 0x1, 0x2, 0x20, 0o4000
EVENT = struct.Struct("iIII")


@dataclass
class Canary:
    """``port`` is the same for TCP and UDP; ``callers`` came by network, ``openings`` are of ``file``."""

    port: int
    file: Path
    callers: list[str] = field(default_factory=list)
    _watch: int = -1

    def openings(self) -> int:
        """How often the file, or its neighbour, was opened since this was last asked."""
        try:
            return len(os.read(self._watch, 4096)) // EVENT.size
        except BlockingIOError:
            return 0

    def undisturbed(self) -> bool:
        return not self.callers and not self.openings()


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, callers: list[str]) -> None:
        self._callers = callers

    def datagram_received(self, data: bytes, address: object) -> None:
        self._callers.append(f"udp {address}")


@asynccontextmanager
async def open_canary(place: Path, content: bytes = b"a canary's song") -> AsyncIterator[Canary]:
    """A canary in *place*, which others may write about but not read."""
    callers: list[str] = []

    def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(f"tcp {writer.get_extra_info('peername')}")
        writer.close()

    server = await asyncio.start_server(call, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    ear, _ = await loop.create_datagram_endpoint(lambda: _Ear(callers), ("127.0.0.1", port))
    file = place / "canary.ts"
    file.write_bytes(content)
    watch = _watched(file)
    try:
        async with server:
            yield Canary(port, file, callers, watch)
            # What has knocked is let in before the door is taken away.
            await asyncio.sleep(0)
    finally:
        ear.close()
        os.close(watch)


def _watched(file: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    watch = int(libc.inotify_init1(IN_NONBLOCK))
    if watch < 0 or libc.inotify_add_watch(watch, os.fsencode(file), IN_ACCESS | IN_MODIFY | IN_OPEN) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    return watch
