"""Who may talk to an API without a key: this machine, through a page of ours.

A page of another site can make a browser send requests to 127.0.0.1, and by rebinding its own name to 127.0.0.1 even
read the answers. So the ``Host`` must be a loopback name, and whatever changes something must not come from elsewhere.
Who shows a key is let through: no page of another site can make a browser send one.
"""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from moviola.errors import Refused
from moviola.settings import Settings
from moviola_api.context import caller_of, context_of
from moviola_api.problems import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine: ``localhost``, or an address of 127.0.0.0/8 or ::1."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_open(settings: Settings) -> bool:
    """Whether others can reach the address, and nothing but API keys would keep them out."""
    return not is_loopback(settings.host) and not settings.trust_network


def refuse_open_host(settings: Settings, *, keys: bool) -> None:
    """``Refused`` for an address that others can reach, unless there are keys that keep them out."""
    if is_open(settings) and not keys:
        raise Refused(
            f"MOVIOLA_HOST is {settings.host!r}, which other machines can reach, and there are no API keys yet. "
            "Make one with `moviola keys create NAME`, use 127.0.0.1, or set MOVIOLA_TRUST_NETWORK=true where a "
            "private network keeps strangers out.",
            code="settings.open_host",
        )


@web.middleware
async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """``Forbidden`` for a foreign ``Host`` on loopback, and for a change that another site's page asks for."""
    settings = context_of(request).settings
    trusted = settings.trust_network
    if caller_of(request).key is not None:
        return await handler(request)
    if not trusted and is_loopback(settings.host) and not is_loopback(_hostname(request.host)):
        raise Forbidden("This server answers to localhost only.", code="request.foreign_host")
    if request.method not in SAFE_METHODS and _is_foreign(request, trusted):
        raise Forbidden("A page of another site may not change anything here.", code="request.foreign_origin")
    return await handler(request)


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(request: web.Request, trusted: bool) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    ours = {request.host.lower()}
    if trusted and (forwarded := request.headers.get("X-Forwarded-Host")):
        ours.add(forwarded.lower())
    return urlsplit(origin).netloc.lower() not in ours
