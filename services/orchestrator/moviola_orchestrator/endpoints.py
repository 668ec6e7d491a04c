"""Talk to endpoints of webhooks: one POST, and nothing that an endpoint could use against us.

Where a name leads is checked twice: when it is resolved, and on the very address that a socket is opened to, so that
neither a literal address, nor a name with two faces, nor an IPv4 address in an IPv6 one leads into our own network.
No redirect is followed, no proxy asked, no cookie kept; an answer has ten seconds, and of its body the beginning is
read.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from moviola.addresses import is_public
from moviola.errors import MoviolaError

ANSWER_SECONDS = 10.0
ANSWER_BYTES = 1024
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str | int | bytes, ...]]


class PrivateAddress(OSError):
    """The name leads into our own network. An OSError, so that aiohttp takes it for an address that can't be had."""


class NoAnswer(MoviolaError):
    """The endpoint could not be reached, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Answered:
    """``beginning``: at most 1 KiB of the body, as text; ``seconds`` until all of that was there."""

    status: int
    seconds: float
    beginning: str


class Endpoints:
    """Made by ``open_endpoints``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send *body*; ``NoAnswer`` says why there is none."""
        began = monotonic()
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                beginning = await _beginning(response)
                return Answered(response.status, monotonic() - began, beginning)
        except TimeoutError as error:
            raise NoAnswer(f"It did not answer within {ANSWER_SECONDS:g} s.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a host that can't be one, as a label of more than 63 characters.
            raise NoAnswer(_told(error)) from error


async def _beginning(response: aiohttp.ClientResponse) -> str:
    read = b""
    async for chunk in response.content.iter_chunked(ANSWER_BYTES):
        read += chunk
        if len(read) >= ANSWER_BYTES:
            # What follows is not read: the connection goes with it.
            response.close()
            break
    return read[:ANSWER_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def _told(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PrivateAddress):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return (str(error) or type(error).__name__)[:500]


@asynccontextmanager
async def open_endpoints(*, allow_private: bool) -> AsyncIterator[Endpoints]:
    """*allow_private*: endpoints may lie in our own network."""
    connector = (
        aiohttp.TCPConnector(limit=64, force_close=True)
        if allow_private
        else aiohttp.TCPConnector(
            limit=64, force_close=True, use_dns_cache=False, resolver=PublicResolver(), socket_factory=public_socket
        )
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield Endpoints(session)


class PublicResolver(ThreadedResolver):
    """Of a name's addresses only those that anybody may have; ``PrivateAddress`` where none is left."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        public = [one for one in found if is_public(one["host"])]
        if found and not public:
            raise _private(found[0]["host"])
        return public


def public_socket(info: AddrInfo) -> socket.socket:
    """The socket for an address that is about to be connected to; ``PrivateAddress``."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise _private(str(address[0]))
    return socket.socket(family, kind, protocol)


def _private(address: str) -> PrivateAddress:
    return PrivateAddress(f"It leads to {address}, which is no address of the internet.")
